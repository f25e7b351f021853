/**
 * The parameters of CONFIG GET / SET: typed fields that the engine and the server read directly, and one table that
 * gives each its Redis name, its limits and its text form. A parameter is listed only when it does something here or
 * states a fact about the running engine; the latter cannot be set.
 */
export class Config {
  // Streams
  streamNodeMaxEntries = 100
  streamNodeMaxBytes = 4096
  streamIdmpDuration = 100
  streamIdmpMaxsize = 100
  // Memory
  maxmemory = 0
  maxmemoryPolicy = 'noeviction'
  // Durability
  appendonly = false
  appendfsync = 'always'
  autoAofRewritePercentage = 100
  autoAofRewriteMinSize = 64 * 1024 * 1024
  dir = ''
  save = ''
  databases = 16
  // Events and introspection
  notifyKeyspaceEvents = ''
  slowlogLogSlowerThan = 10000
  slowlogMaxLen = 128
  latencyMonitorThreshold = 0
  acllogMaxLen = 128
  // Connections
  port = 0
  tlsPort = 0
  bind = ''
  requirepass = ''
  protectedMode = true
  maxclients = 10000
  timeout = 0
  tcpKeepalive = 300
  tcpBacklog = 511
  protoMaxBulkLen = 512 * 1024 * 1024
  clientQueryBufferLimit = 1024 * 1024 * 1024
  clientOutputBufferLimit: OutputLimits = {
    normal: { hard: 0, soft: 0, seconds: 0 },
    replica: { hard: 256 * 1024 * 1024, soft: 64 * 1024 * 1024, seconds: 60 },
    pubsub: { hard: 32 * 1024 * 1024, soft: 8 * 1024 * 1024, seconds: 60 },
  }

  readonly #listeners: { name: string; listener: () => void }[] = []

  /** Calls `listener` after CONFIG SET changed the parameter of that (Redis) name. */
  onChange(name: string, listener: () => void): void {
    this.#listeners.push({ name, listener })
  }

  /** All names, sorted. */
  get names(): readonly string[] {
    return NAMES
  }

  /** The text CONFIG GET shows; undefined for an unknown name. `name` is lower case. */
  get(name: string): string | undefined {
    const parameter = PARAMETERS.get(name)
    return parameter?.kind.print(this[parameter.field] as never)
  }

  /**
   * Sets several parameters or none: all texts are judged before the first is taken over. Throws ConfigError naming the
   * parameter that was refused and why.
   */
  set(changes: readonly (readonly [name: string, text: string])[]): void {
    const parsed: [Parameter, unknown][] = []
    for (const [name, text] of changes) {
      const parameter = PARAMETERS.get(name)
      if (parameter === undefined) throw new ConfigError(name, 'unknown')
      if (parameter.fact) throw new ConfigError(name, "can't set immutable config")
      if (parsed.some(([other]) => other === parameter)) throw new ConfigError(name, 'duplicate parameter')
      const value = parameter.kind.parse(text, this[parameter.field] as never)
      if (typeof value === 'object' && 'refused' in value) throw new ConfigError(name, value.refused)
      parsed.push([parameter, value])
    }
    for (const [parameter, value] of parsed) Object.assign(this, { [parameter.field]: value })
    for (const [parameter] of parsed) {
      for (const { name, listener } of this.#listeners) if (name === parameter.name) listener()
    }
  }
}

export class ConfigError {
  constructor(
    readonly parameter: string,
    readonly reason: string,
  ) {}
}

/** Bytes unread by a peer at which it is cut off: at once above `hard`, after `seconds` above `soft`. 0 = no limit. */
export interface OutputLimit {
  hard: number
  soft: number
  seconds: number
}

export interface OutputLimits {
  normal: OutputLimit
  replica: OutputLimit
  pubsub: OutputLimit
}

type Refusal = { refused: string }
type Field = Exclude<keyof Config, 'names' | 'get' | 'set' | 'onChange'>

interface Kind<T> {
  print(value: T): string
  parse(text: string, present: T): T | Refusal
}

interface Parameter {
  name: string
  field: Field
  kind: Kind<never>
  /** States a fact: shown, never set. */
  fact: boolean
}

function integer(min: number, max: number): Kind<number> {
  return {
    print: String,
    parse: (text) => {
      const value = /^-?(0|[1-9][0-9]*)$/.test(text) ? Number(text) : Number.NaN
      if (!Number.isSafeInteger(value)) return { refused: "argument couldn't be parsed into an integer" }
      if (value < min || value > max) return { refused: `argument must be between ${min} and ${max} inclusive` }
      return value
    },
  }
}

const UNITS: Record<string, number> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
}

/** A size as Redis reads it (`64mb`, `1g`, `1048576`) in bytes; undefined when it is none. */
export function parseMemory(text: string): number | undefined {
  const match = /^([0-9]+)([a-z]{0,2})$/i.exec(text)
  const unit = match ? UNITS[match[2].toLowerCase()] : undefined
  if (match === null || unit === undefined) return undefined
  const value = Number(match[1]) * unit
  return Number.isSafeInteger(value) ? value : undefined
}

function memory(min: number, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  return {
    print: String,
    parse: (text) => {
      const value = parseMemory(text)
      if (value === undefined) return { refused: 'argument must be a memory value' }
      if (value < min || value > max) return { refused: `argument must be between ${min} and ${max} inclusive` }
      return value
    },
  }
}

const yesNo: Kind<boolean> = {
  print: (value) => (value ? 'yes' : 'no'),
  parse: (text) => {
    const word = text.toLowerCase()
    if (word !== 'yes' && word !== 'no') return { refused: "argument must be 'yes' or 'no'" }
    return word === 'yes'
  },
}

const text: Kind<string> = { print: (value) => value, parse: (value) => value }

const policy: Kind<string> = {
  print: (value) => value,
  parse: (value) =>
    value.toLowerCase() === 'noeviction'
      ? 'noeviction'
      : { refused: 'argument(s) must be one of the following: noeviction' },
}

/** Order in which Redis prints the classes of keyspace events. */
const EVENT_ORDER = 'g$lshzxetdmonKE'

const events: Kind<string> = {
  print: (value) => value,
  parse: (value) => {
    const flags = new Set(value)
    const all = flags.delete('A')
    if (all) for (const flag of 'g$lshzxetd') flags.add(flag)
    for (const flag of flags) {
      if (!EVENT_ORDER.includes(flag)) return { refused: "Invalid event class character. Use 'Ag$lshzxeKEtmdno'." }
    }
    let printed = [...EVENT_ORDER].filter((flag) => flags.has(flag)).join('')
    if ([...'g$lshzxetd'].every((flag) => flags.has(flag))) printed = 'A' + printed.replace(/[g$lshzxetd]/g, '')
    return printed
  },
}

const outputLimits: Kind<OutputLimits> = {
  print: (value) =>
    (['normal', 'replica', 'pubsub'] as const)
      .map((name) => {
        const { hard, soft, seconds } = value[name]
        return `${name === 'replica' ? 'slave' : name} ${hard} ${soft} ${seconds}`
      })
      .join(' '),
  parse: (value, present) => {
    const words = value.split(/\s+/).filter((word) => word !== '')
    if (words.length === 0 || words.length % 4 !== 0) {
      return { refused: 'Wrong number of arguments in buffer limit configuration.' }
    }
    const limits: OutputLimits = { ...present }
    for (let i = 0; i < words.length; i += 4) {
      const name = words[i].toLowerCase() === 'slave' ? 'replica' : words[i].toLowerCase()
      if (name !== 'normal' && name !== 'replica' && name !== 'pubsub') {
        return { refused: 'Invalid client class specified in buffer limit configuration.' }
      }
      const hard = parseMemory(words[i + 1])
      const soft = parseMemory(words[i + 2])
      const seconds = /^[0-9]{1,9}$/.test(words[i + 3]) ? Number(words[i + 3]) : undefined
      if (hard === undefined || soft === undefined || seconds === undefined) {
        return { refused: 'Error in hard, soft or soft_seconds setting in buffer limit configuration.' }
      }
      limits[name] = { hard, soft, seconds }
    }
    return limits
  },
}

const INT = 2147483647

function rows(): Parameter[] {
  const row = <F extends Field>(name: string, field: F, kind: Kind<Config[F]>, fact = false): Parameter => ({
    name,
    field,
    kind: kind as Kind<never>,
    fact,
  })
  return [
    row('stream-node-max-entries', 'streamNodeMaxEntries', integer(0, Number.MAX_SAFE_INTEGER)),
    row('stream-node-max-bytes', 'streamNodeMaxBytes', memory(0)),
    row('stream-idmp-duration', 'streamIdmpDuration', integer(1, 86400)),
    row('stream-idmp-maxsize', 'streamIdmpMaxsize', integer(1, 10000)),
    row('maxmemory', 'maxmemory', memory(0)),
    row('maxmemory-policy', 'maxmemoryPolicy', policy),
    row('appendonly', 'appendonly', yesNo, true),
    row('appendfsync', 'appendfsync', text, true),
    row('auto-aof-rewrite-percentage', 'autoAofRewritePercentage', integer(0, INT)),
    row('auto-aof-rewrite-min-size', 'autoAofRewriteMinSize', memory(0)),
    row('dir', 'dir', text, true),
    row('save', 'save', text, true),
    row('databases', 'databases', integer(1, INT), true),
    row('notify-keyspace-events', 'notifyKeyspaceEvents', events),
    row('slowlog-log-slower-than', 'slowlogLogSlowerThan', integer(-1, Number.MAX_SAFE_INTEGER)),
    row('slowlog-max-len', 'slowlogMaxLen', integer(0, INT)),
    row('latency-monitor-threshold', 'latencyMonitorThreshold', integer(0, Number.MAX_SAFE_INTEGER)),
    row('acllog-max-len', 'acllogMaxLen', integer(0, INT)),
    row('port', 'port', integer(0, 65535), true),
    row('tls-port', 'tlsPort', integer(0, 65535), true),
    row('bind', 'bind', text, true),
    row('requirepass', 'requirepass', text),
    row('protected-mode', 'protectedMode', yesNo),
    row('maxclients', 'maxclients', integer(1, 4294967295)),
    row('timeout', 'timeout', integer(0, INT)),
    row('tcp-keepalive', 'tcpKeepalive', integer(0, INT)),
    row('tcp-backlog', 'tcpBacklog', integer(0, INT), true),
    row('proto-max-bulk-len', 'protoMaxBulkLen', memory(1024 * 1024)),
    row('client-query-buffer-limit', 'clientQueryBufferLimit', memory(1024 * 1024)),
    row('client-output-buffer-limit', 'clientOutputBufferLimit', outputLimits),
  ]
}

const PARAMETERS: ReadonlyMap<string, Parameter> = new Map(rows().map((parameter) => [parameter.name, parameter]))
const NAMES: readonly string[] = [...PARAMETERS.keys()].sort()
