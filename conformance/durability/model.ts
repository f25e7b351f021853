/**
 * What the engine's data is after a series of commands, kept in the plainest way: arrays that are searched from the
 * front, nothing on disk. It knows the forms of commands that history.ts makes and no others. A command that Redis would
 * refuse changes nothing.
 */
export class Model {
  databases: Map<string, Key>[] = [new Map(), new Map()]

  clone(): Model {
    const copy = new Model()
    copy.databases = structuredClone(this.databases)
    return copy
  }

  /** Keys due by now are gone. */
  expire(now: number): void {
    for (const keys of this.databases) {
      for (const [name, key] of keys) if (key.expiry <= now) keys.delete(name)
    }
  }

  /** Runs one command of a session that selected `database`. */
  run(database: number, [command, ...args]: readonly string[], now: number) {
    this.expire(now)
    const keys = this.databases[database]
    try {
      switch (command) {
        case 'FLUSHDB':
          return keys.clear()
        case 'SWAPDB':
          return this.databases.reverse()
        case 'MOVE':
          return this.#move(keys, this.databases[Number(args[1])], args[0])
        case 'FCALL':
          return new Steps(keys, now).call(args)
        default:
          return new Commands(keys, now).call(command, args)
      }
    } catch (error) {
      if (error !== REFUSED) throw error
    }
  }

  #move(from: Map<string, Key>, to: Map<string, Key>, name: string): void {
    const key = from.get(name)
    if (key === undefined || from === to || to.has(name)) return
    from.delete(name)
    to.set(name, key)
  }
}

export interface Key {
  /** ms since the epoch; Infinity = never. */
  expiry: number
  value: string | Record<string, string> | ScoredMember[] | StreamValue
}

export interface ScoredMember {
  member: string
  score: number
}

export interface StreamValue {
  entries: { id: string; fields: string[] }[]
  lastId: string
  maxDeletedId: string
  added: number
  groups: Record<string, GroupValue>
  /** Idempotent additions, `producer id`, that would be recognised. */
  addedOnce?: string[]
}

export interface GroupValue {
  lastId: string
  /** −1 = unknown. */
  read: number
  consumers: string[]
  /** By ID. */
  pending: PendingValue[]
}

export interface PendingValue {
  id: string
  consumer: string
  time: number
  count: number
}

const REFUSED = Symbol('refused')

function refuse(): never {
  throw REFUSED
}

export function compareIds(a: string, b: string): number {
  const [aMs, aSeq] = a.split('-').map(Number)
  const [bMs, bSeq] = b.split('-').map(Number)
  return aMs - bMs || aSeq - bSeq
}

export function isStream(value: Key['value']): value is StreamValue {
  return typeof value === 'object' && 'entries' in value && Array.isArray(value.entries)
}

/** Groups are made before the first entry now and then: such a stream has no entries yet. */
const emptyStream = (): StreamValue => ({ entries: [], lastId: '0-0', maxDeletedId: '0-0', added: 0, groups: {} })

class Commands {
  constructor(
    readonly keys: Map<string, Key>,
    readonly now: number,
  ) {}

  call(command: string, args: string[]) {
    const [key] = args
    switch (command) {
      case 'XADD':
        return this.#xadd(args)
      case 'XNACK':
        return this.#xnack(this.group(key, args[1]), args[2], args.slice(5))
      case 'XDELEX':
        return this.deleteWith(this.stream(key), args[1], args.slice(4))
      case 'XACKDEL': {
        const pending = this.group(key, args[1]).pending.map(({ id }) => id)
        const mine = args.slice(5).filter((id) => pending.includes(id))
        this.acknowledge(this.group(key, args[1]), mine)
        return this.deleteWith(this.stream(key), args[2], mine)
      }
      case 'XTRIM':
        return this.trim(this.stream(key), args[1], args[2])
      case 'XDEL':
        return this.delete(this.stream(key), args.slice(1))
      case 'XGROUP':
        return this.#xgroup(args)
      case 'XREADGROUP':
        return this.#xreadgroup(args)
      case 'XACK':
        return this.acknowledge(this.group(key, args[1]), args.slice(2))
      case 'XCLAIM':
        return this.#xclaim(args)
      case 'XAUTOCLAIM':
        return this.#xautoclaim(args)
      case 'SET':
        this.keys.delete(key)
        return this.put(key, args[1], args[2] === 'PX' ? this.now + Number(args[3]) : Number.POSITIVE_INFINITY)
      case 'INCR': {
        const before = this.string(key) ?? '0'
        if (!/^-?\d+$/.test(before)) refuse()
        return this.put(key, String(Number(before) + 1))
      }
      case 'APPEND':
        return this.put(key, (this.string(key) ?? '') + args[1])
      case 'DEL':
        for (const name of args) this.keys.delete(name)
        return
      case 'PEXPIRE': {
        const found = this.keys.get(key) ?? refuse()
        found.expiry = this.now + Number(args[1])
        return
      }
      case 'PERSIST':
        ;(this.keys.get(key) ?? refuse()).expiry = Number.POSITIVE_INFINITY
        return
      case 'RENAME': {
        const found = this.keys.get(key) ?? refuse()
        this.keys.delete(key)
        this.keys.set(args[1], found)
        return
      }
      case 'COPY': {
        const found = this.keys.get(key)
        if (found !== undefined && key !== args[1]) this.keys.set(args[1], structuredClone(found))
        return
      }
      case 'HSET':
        return this.setField(key, args[1], args[2])
      case 'HINCRBY': {
        const before = this.hash(key)?.[args[1]] ?? '0'
        if (!/^-?\d+$/.test(before)) refuse()
        return this.setField(key, args[1], String(Number(before) + Number(args[2])))
      }
      case 'HDEL':
        return this.deleteFields(key, args.slice(1))
      case 'ZADD':
        return this.setScore(key, args[2], Number(args[1]))
      case 'ZINCRBY': {
        const before = this.set(key)?.find(({ member }) => member === args[2])?.score ?? 0
        return this.setScore(key, args[2], before + Number(args[1]))
      }
      case 'ZREM':
        return this.removeMembers(key, args.slice(1))
      case 'ZPOPMIN': {
        const set = this.set(key)
        return set && this.removeMembers(key, [set[0].member])
      }
      default:
        throw new Error(`the model knows no ${command}`)
    }
  }

  // Values

  put(name: string, value: Key['value'], expiry = this.keys.get(name)?.expiry ?? Number.POSITIVE_INFINITY): void {
    this.keys.set(name, { value, expiry })
  }

  string(name: string): string | undefined {
    const value = this.keys.get(name)?.value
    return value === undefined || typeof value === 'string' ? value : refuse()
  }

  hash(name: string): Record<string, string> | undefined {
    const value = this.keys.get(name)?.value
    if (value === undefined) return undefined
    return typeof value === 'string' || Array.isArray(value) || isStream(value)
      ? refuse()
      : (value as Record<string, string>)
  }

  set(name: string): ScoredMember[] | undefined {
    const value = this.keys.get(name)?.value
    return value === undefined || Array.isArray(value) ? value : refuse()
  }

  stream(name: string): StreamValue {
    const value = this.keys.get(name)?.value
    return value !== undefined && isStream(value) ? value : refuse()
  }

  streamOrNew(name: string): StreamValue {
    if (!this.keys.has(name)) this.put(name, emptyStream())
    return this.stream(name)
  }

  group(name: string, group: string): GroupValue {
    return this.stream(name).groups[group] ?? refuse()
  }

  setField(name: string, field: string, value: string): void {
    const hash = this.hash(name) ?? {}
    this.put(name, { ...hash, [field]: value })
  }

  deleteFields(name: string, fields: readonly string[]): void {
    const hash = this.hash(name)
    if (hash === undefined) return
    for (const field of fields) delete hash[field]
    if (Object.keys(hash).length === 0) this.keys.delete(name)
  }

  setScore(name: string, member: string, score: number): void {
    const others = (this.set(name) ?? []).filter((each) => each.member !== member)
    const set = [...others, { member, score }]
    set.sort((a, b) => a.score - b.score || (a.member < b.member ? -1 : 1))
    this.put(name, set)
  }

  removeMembers(name: string, members: readonly string[]): void {
    const set = this.set(name)
    if (set === undefined) return
    const rest = set.filter(({ member }) => !members.includes(member))
    if (rest.length === 0) this.keys.delete(name)
    else this.put(name, rest)
  }

  // Streams

  append(name: string, fields: string[], wanted?: string): string {
    const stream = this.streamOrNew(name)
    const [ms, sequence] = stream.lastId.split('-').map(Number)
    const next = this.now > ms ? `${this.now}-0` : `${ms}-${sequence + 1}`
    const id = wanted ?? next
    if (compareIds(id, stream.lastId) <= 0) refuse()
    stream.entries.push({ id, fields })
    stream.lastId = id
    stream.added++
    return id
  }

  /** [NOMKSTREAM] [MAXLEN n | MINID id] id|* field value … */
  #xadd([name, ...args]: string[]): void {
    if (args[0] === 'NOMKSTREAM') {
      args.shift()
      if (!this.keys.has(name)) return
    }
    if (args[0] === 'IDMP') {
      const [, producer, idempotent] = args.splice(0, 3)
      const stream = this.streamOrNew(name)
      stream.addedOnce ??= []
      if (stream.addedOnce.includes(`${producer} ${idempotent}`)) return
      stream.addedOnce.push(`${producer} ${idempotent}`)
    }
    const bound = args[0] === 'MAXLEN' || args[0] === 'MINID' ? args.splice(0, 2) : undefined
    const [id, ...fields] = args
    // A stream is not made for an entry that is refused; explicit IDs are above 0-0, so a new one takes any.
    this.append(name, fields, id === '*' ? undefined : id)
    if (bound !== undefined) this.trim(this.stream(name), bound[0], bound[1])
  }

  trim(stream: StreamValue, kind: string, bound: string): void {
    if (kind === 'MAXLEN') stream.entries = stream.entries.slice(Math.max(0, stream.entries.length - Number(bound)))
    else stream.entries = stream.entries.filter(({ id }) => compareIds(id, bound) >= 0)
  }

  delete(stream: StreamValue, ids: readonly string[]): number {
    let deleted = 0
    for (const id of ids) {
      const at = stream.entries.findIndex((entry) => entry.id === id)
      if (at < 0) continue
      stream.entries.splice(at, 1)
      deleted++
      if (compareIds(id, stream.maxDeletedId) > 0) stream.maxDeletedId = id
    }
    return deleted
  }

  /** Deletes entries with what groups hold of them, without it, or only where no group has still to handle them. */
  deleteWith(stream: StreamValue, references: string, ids: readonly string[]): void {
    const groups = Object.values(stream.groups)
    const going = ids.filter(
      (id) =>
        references !== 'ACKED' ||
        !groups.some(({ lastId, pending }) => compareIds(id, lastId) > 0 || pending.some((each) => each.id === id)),
    )
    this.delete(stream, going)
    if (references === 'DELREF') for (const group of groups) this.acknowledge(group, ids)
  }

  /** Nobody's from now on, due at once. */
  #xnack(group: GroupValue, mode: string, ids: readonly string[]): void {
    for (const id of ids) {
      const known = group.pending.find((each) => each.id === id)
      if (known === undefined || known.consumer === '') continue
      known.count = mode === 'FATAL' ? 2 ** 63 : mode === 'SILENT' ? Math.max(known.count - 1, 0) : known.count
      known.consumer = ''
      known.time = 0
    }
  }

  #xgroup([subcommand, name, group, ...args]: string[]): void {
    if (subcommand === 'CREATE') {
      const stream = args[1] === 'MKSTREAM' ? this.streamOrNew(name) : this.stream(name)
      if (stream.groups[group] !== undefined) refuse()
      stream.groups[group] = { lastId: this.#position(stream, args[0]), read: -1, consumers: [], pending: [] }
      return
    }
    const stream = this.stream(name)
    const found = stream.groups[group] ?? refuse()
    if (subcommand === 'DESTROY') delete stream.groups[group]
    else if (subcommand === 'SETID') {
      found.lastId = this.#position(stream, args[0])
      found.read = -1
    } else if (subcommand === 'CREATECONSUMER') this.consumer(found, args[0])
    else {
      found.consumers = found.consumers.filter((consumer) => consumer !== args[0])
      found.pending = found.pending.filter(({ consumer }) => consumer !== args[0])
    }
  }

  #position(stream: StreamValue, id: string): string {
    if (id === '$') return stream.lastId
    return id === '0' ? '0-0' : id
  }

  consumer(group: GroupValue, name: string): void {
    if (!group.consumers.includes(name)) group.consumers.push(name)
  }

  /** GROUP group consumer [COUNT n] [NOACK] STREAMS key > | id */
  #xreadgroup([, group, consumer, ...args]: string[]): void {
    const count = args[0] === 'COUNT' ? Number(args.splice(0, 2)[1]) : 0
    const acknowledged = args[0] === 'NOACK' && args.shift() !== undefined
    const [, name, from] = args
    if (from === '>') this.deliverNew(name, group, consumer, count, acknowledged)
    else {
      const found = this.group(name, group)
      this.consumer(found, consumer)
      const { entries } = this.stream(name)
      const mine = found.pending.filter((each) => each.consumer === consumer && compareIds(each.id, `${from}-0`) > 0)
      for (const each of count === 0 ? mine : mine.slice(0, count)) {
        if (!entries.some(({ id }) => id === each.id)) continue
        each.time = this.now
        each.count++
      }
    }
  }

  deliverNew(name: string, group: string, consumer: string, count: number, acknowledged: boolean): void {
    const stream = this.stream(name)
    const found = stream.groups[group] ?? refuse()
    this.consumer(found, consumer)
    const fresh = stream.entries.filter(({ id }) => compareIds(id, found.lastId) > 0)
    let counting = false
    for (const { id } of count === 0 ? fresh : fresh.slice(0, count)) {
      counting ||=
        found.read !== -1 &&
        compareIds(found.lastId, stream.entries[0].id) >= 0 &&
        (stream.maxDeletedId === '0-0' || compareIds(stream.maxDeletedId, found.lastId) < 0)
      found.read = counting ? found.read + 1 : readUpTo(stream, id)
      found.lastId = id
      if (!acknowledged) this.pend(found, { id, consumer, time: this.now, count: 1 })
    }
  }

  pend(group: GroupValue, pending: PendingValue): void {
    group.pending = group.pending.filter(({ id }) => id !== pending.id)
    group.pending.push(pending)
    group.pending.sort((a, b) => compareIds(a.id, b.id))
  }

  acknowledge(group: GroupValue, ids: readonly string[]): void {
    group.pending = group.pending.filter(({ id }) => !ids.includes(id))
  }

  /** key group consumer min-idle-time id … [RETRYCOUNT n] [FORCE] [JUSTID] */
  #xclaim([name, group, consumer, minIdle, ...args]: string[]): void {
    const ids = args.filter((word) => word.includes('-'))
    const at = args.indexOf('RETRYCOUNT')
    this.claim(name, group, consumer, ids, {
      minIdle: Number(minIdle),
      time: this.now,
      count: at < 0 ? undefined : Number(args[at + 1]),
      force: args.includes('FORCE'),
      justId: args.includes('JUSTID'),
    })
  }

  claim(
    name: string,
    group: string,
    consumer: string,
    ids: readonly string[],
    options: { minIdle: number; time: number; count?: number; force?: boolean; justId?: boolean },
  ): void {
    const found = this.group(name, group)
    const { entries } = this.stream(name)
    this.consumer(found, consumer)
    for (const id of ids) {
      const known = found.pending.find((each) => each.id === id)
      if (!entries.some((entry) => entry.id === id)) {
        if (known !== undefined) this.acknowledge(found, [id])
        continue
      }
      if (known === undefined && !options.force) continue
      if (known !== undefined && !this.#idle(known, options.minIdle)) continue
      const count = options.count ?? (known?.count ?? 1) + (options.justId ? 0 : 1)
      this.pend(found, { id, consumer, time: options.time, count })
    }
  }

  /** Where the clock went back, a delivery may lie ahead of it. */
  #idle(pending: PendingValue, minimum: number): boolean {
    return minimum === 0 || this.now - pending.time >= minimum
  }

  /** key group consumer min-idle-time start COUNT n */
  #xautoclaim([name, group, consumer, minIdle, start, , count]: string[]): void {
    const found = this.group(name, group)
    const { entries } = this.stream(name)
    this.consumer(found, consumer)
    let left = Number(count)
    for (const each of found.pending.slice(0).filter(({ id }) => compareIds(id, `${start}-0`) >= 0)) {
      if (left === 0) break
      if (!entries.some(({ id }) => id === each.id)) {
        this.acknowledge(found, [each.id])
        left--
      } else if (this.#idle(each, Number(minIdle))) {
        this.pend(found, { id: each.id, consumer, time: this.now, count: each.count + 1 })
        left--
      }
    }
  }
}

/** Which entry of all ever added this one is; −1 when deletions make that unknowable. */
function readUpTo(stream: StreamValue, id: string): number {
  const { entries, added, lastId, maxDeletedId } = stream
  if (compareIds(id, maxDeletedId) < 0) return -1
  if (id === lastId) return added
  if (maxDeletedId !== '0-0' && compareIds(maxDeletedId, entries[0].id) >= 0) return -1
  return id === entries[0].id ? added - entries.length + 1 : -1
}

/** The built-in functions, as far as histories call them. */
class Steps {
  readonly #commands: Commands

  constructor(
    readonly keys: Map<string, Key>,
    readonly now: number,
  ) {
    this.#commands = new Commands(keys, now)
  }

  call([name, count, ...words]: string[]) {
    const keys = words.slice(0, Number(count))
    const args = words.slice(Number(count))
    const run = this.#commands
    switch (name) {
      case 'yeoul_append': {
        const [stream, mark, counters] = keys
        const [window, numbered, counter, , , ...fields] = args
        if (window !== '' && run.string(mark) !== undefined) return
        let number = 0
        let all = fields
        if (numbered === '1') {
          number = Number(run.hash(counters)?.[counter] ?? 0) + 1
          all = [...fields, '_seq', String(number)]
        }
        const id = run.append(stream, all)
        if (numbered === '1') run.setField(counters, counter, String(number))
        if (window !== '') run.put(mark, `${id} ${number}`, this.now + Number(window))
        return
      }
      case 'yeoul_settle': {
        const group = run.group(keys[0], args[0])
        return run.acknowledge(group, this.#owned(group, args))
      }
      case 'yeoul_heartbeat': {
        const owned = this.#owned(run.group(keys[0], args[0]), args)
        if (owned.length > 0) {
          run.claim(keys[0], args[0], args[1], owned, { minIdle: 0, time: this.now, justId: true })
        }
        return
      }
      case 'yeoul_deadletter': {
        const group = run.group(keys[0], args[0])
        if (this.#owned(group, args.slice(0, 4)).length === 0) return
        run.append(keys[1], args.slice(4))
        return run.acknowledge(group, [args[2]])
      }
      case 'yeoul_reschedule': {
        const group = run.group(keys[0], args[0])
        if (this.#owned(group, args.slice(0, 4)).length === 0) return
        this.#schedule(keys[1], keys[2], args[4], args[5], args[6])
        return run.acknowledge(group, [args[2]])
      }
      case 'yeoul_schedule': {
        const [times, packed, mark] = keys
        const [due, entry, fields, window] = args
        run.set(times)
        run.hash(packed)
        if (window !== '' && run.string(mark) !== undefined) return
        this.#schedule(times, packed, due, entry, fields)
        if (window !== '') run.put(mark, `@${due} 0`, Math.max(Number(due), this.now) + Number(window))
        return
      }
      case 'yeoul_promote': {
        const due = (run.set(keys[1]) ?? []).filter(({ score }) => score <= this.now).slice(0, Number(args[0]))
        if (this.keys.has(keys[0])) run.stream(keys[0])
        for (const { member } of due) {
          const packed = run.hash(keys[2])?.[member]
          if (packed !== undefined) run.append(keys[0], unpack(packed))
        }
        run.removeMembers(
          keys[1],
          due.map(({ member }) => member),
        )
        run.deleteFields(
          keys[2],
          due.map(({ member }) => member),
        )
        return
      }
      default:
        throw new Error(`the model knows no ${name}`)
    }
  }

  /** group consumer (id count) …: the IDs that the consumer holds with that very count. What was given back is nobody's. */
  #owned(group: GroupValue, [, consumer, ...held]: readonly string[]): string[] {
    const owned: string[] = []
    for (let i = 0; i < held.length; i += 2) {
      const found = group.pending.find(({ id }) => id === held[i])
      if (consumer !== '' && found?.consumer === consumer && found.count === Number(held[i + 1])) owned.push(held[i])
    }
    return owned
  }

  #schedule(times: string, scheduled: string, due: string, name: string, packed: string): void {
    this.#commands.set(times)
    this.#commands.hash(scheduled)
    this.#commands.setScore(times, name, Number(due))
    this.#commands.setField(scheduled, name, packed)
  }
}

/** `4:data2:{}` as ['data', '{}'] */
function unpack(packed: string): string[] {
  const words: string[] = []
  for (let at = 0; at < packed.length; ) {
    const colon = packed.indexOf(':', at)
    const end = colon + 1 + Number(packed.slice(at, colon))
    words.push(packed.slice(colon + 1, end))
    at = end
  }
  return words
}
