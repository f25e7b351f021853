import { createHash, timingSafeEqual } from 'node:crypto'
import { glob } from './glob.js'
import { keyAccess } from './key-access.js'
import { type KeyPositions, keyPositions } from './key-positions.js'
import type { Request } from './resp/request.js'

/** What access control reads of a row of the command table. */
export interface GuardedCommand {
  readonly name: string
  readonly flags: readonly string[]
  readonly categories: readonly string[]
  readonly keys: KeyPositions
}

/** Commands whose arguments are channels: from which argument, one or all that follow, names or patterns. */
const CHANNELS: Record<string, { first: number; all: boolean; patterns: boolean }> = {
  publish: { first: 1, all: false, patterns: false },
  spublish: { first: 1, all: false, patterns: false },
  subscribe: { first: 1, all: true, patterns: false },
  ssubscribe: { first: 1, all: true, patterns: false },
  psubscribe: { first: 1, all: true, patterns: true },
}

const AFTER_ALL_KEYS =
  "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"

/** What of a request is not allowed. */
export interface Denied {
  reason: 'command' | 'key' | 'channel'
  object: string
  /** Which argument. */
  at: number
}

export interface KeyPattern {
  pattern: string
  read: boolean
  write: boolean
}

/**
 * What a user may run on which keys and channels: the rules of the user itself, or one selector `(…)` beside them. Command
 * rules are kept in the order given and the last one that speaks of a command decides: `+@read -@dangerous +config|get`.
 * `+@all` and `-@all` forget what came before.
 */
export class Selector {
  rules: string[] = ['-@all']
  keys: KeyPattern[] = []
  /** `~*` was given: no other pattern makes sense beside it. */
  allKeys = false
  channels: string[] = []
  #allowed = new WeakMap<GuardedCommand, boolean>()

  get allChannels(): boolean {
    return this.channels.includes('*')
  }

  get unrestricted(): boolean {
    return this.allKeys && this.allChannels && this.rules.length === 1 && this.rules[0] === '+@all'
  }

  /** Takes one rule of ACL SETUSER about commands, keys or channels; answers what is wrong with it, or undefined. */
  apply(rule: string): string | undefined {
    const word = rule.toLowerCase()
    switch (word) {
      case 'allkeys':
      case '~*':
        this.keys = [{ pattern: '*', read: true, write: true }]
        this.allKeys = true
        return
      case 'resetkeys':
        this.keys = []
        this.allKeys = false
        return
      case 'allchannels':
        return this.apply('&*')
      case 'resetchannels':
        this.channels = []
        return
      case 'allcommands':
        return this.apply('+@all')
      case 'nocommands':
        return this.apply('-@all')
    }
    const rest = rule.slice(1)
    switch (rule[0]) {
      case '~':
        return this.#addKey({ pattern: rest, read: true, write: true })
      case '%': {
        const match = /^([RW]{1,2})~(.*)$/is.exec(rest)
        if (match === null) return this.allKeys ? AFTER_ALL_KEYS : 'Syntax error'
        const access = match[1].toUpperCase()
        return this.#addKey({ pattern: match[2], read: access.includes('R'), write: access.includes('W') })
      }
      case '&':
        if (this.allChannels && rest !== '*') {
          return "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels"
        }
        if (rest === '*') this.channels = ['*']
        else if (!this.channels.includes(rest)) this.channels.push(rest)
        return
      case '+':
      case '-': {
        const target = rest.toLowerCase()
        if (target === '') return 'Syntax error'
        this.#allowed = new WeakMap()
        if (target === '@all') this.rules = [`${rule[0]}@all`]
        else {
          this.rules = this.rules.filter(
            (other) => other.slice(1) !== target && !other.slice(1).startsWith(`${target}|`),
          )
          this.rules.push(rule[0] + target)
        }
        return
      }
    }
    return 'Syntax error'
  }

  #addKey(key: KeyPattern): string | undefined {
    if (this.allKeys) return AFTER_ALL_KEYS
    const same = this.keys.find((other) => other.pattern === key.pattern)
    if (same === undefined) this.keys.push(key)
    else {
      same.read ||= key.read
      same.write ||= key.write
    }
    return undefined
  }

  allows(command: GuardedCommand, parent: GuardedCommand | undefined): boolean {
    let allowed = this.#allowed.get(command)
    if (allowed === undefined) {
      allowed = false
      const own = parent === undefined ? command.name : `${parent.name}|${command.name}`
      for (const rule of this.rules) {
        const target = rule.slice(1)
        const speaks =
          target[0] === '@'
            ? target === '@all' || command.categories.includes(target.slice(1))
            : target === own || target === parent?.name
        if (speaks) allowed = rule[0] === '+'
      }
      this.#allowed.set(command, allowed)
    }
    return allowed
  }

  allowsKey(key: string, read: boolean, write: boolean): boolean {
    return this.keys.some((each) => (!read || each.read) && (!write || each.write) && glob(each.pattern, key))
  }

  /** A pattern to subscribe to must be granted literally; a channel must match a granted pattern. */
  allowsChannel(name: string, isPattern: boolean): boolean {
    return this.channels.some((granted) => granted === '*' || (isPattern ? granted === name : glob(granted, name)))
  }

  get commandRules(): string {
    return this.rules[0]?.endsWith('@all') ? this.rules.join(' ') : ['-@all', ...this.rules].join(' ')
  }

  get keyRules(): string {
    return this.keys
      .map(({ pattern, read, write }) => (read && write ? `~${pattern}` : `%${read ? 'R' : 'W'}~${pattern}`))
      .join(' ')
  }

  get channelRules(): string {
    return this.channels.map((channel) => `&${channel}`).join(' ')
  }

  /** As a part of the line of ACL LIST. */
  describe(): string {
    const parts: string[] = []
    if (this.keys.length > 0) parts.push(this.keyRules)
    if (!this.allChannels) parts.push('resetchannels')
    if (this.channels.length > 0) parts.push(this.channelRules)
    parts.push(this.commandRules)
    return parts.join(' ')
  }

  copyTo(copy: this): this {
    copy.rules = [...this.rules]
    copy.keys = this.keys.map((key) => ({ ...key }))
    copy.allKeys = this.allKeys
    copy.channels = [...this.channels]
    return copy
  }

  /** What of a request this does not allow. */
  denied(command: GuardedCommand, parent: GuardedCommand | undefined, request: Request): Denied | undefined {
    if (this.unrestricted) return undefined
    const fullName = parent === undefined ? command.name : `${parent.name}|${command.name}`
    if (!this.allows(command, parent)) return { reason: 'command', object: fullName, at: 0 }
    if (!this.allKeys) {
      const positions = keyPositions(command.keys, request)
      for (let i = 0; i < positions.length; i++) {
        const key = request.string(positions[i])
        const { read, write } = keyAccess(fullName, command.flags.includes('write'), i, request)
        if (!this.allowsKey(key, read, write)) return { reason: 'key', object: key, at: positions[i] }
      }
    }
    if (!this.allChannels) {
      const channels = CHANNELS[fullName]
      const end = channels === undefined ? 0 : channels.all ? request.count : channels.first + 1
      for (let i = channels?.first ?? 0; i < end; i++) {
        const channel = request.string(i)
        if (!this.allowsChannel(channel, channels!.patterns)) return { reason: 'channel', object: channel, at: i }
      }
    }
    return undefined
  }
}

/** One user: who it is, and what it may do by its own rules or by any of its selectors. */
export class User extends Selector {
  enabled = false
  nopass = false
  /** SHA-256, lower-case hex. */
  readonly passwords = new Set<string>()
  selectors: Selector[] = []

  constructor(readonly name: string) {
    super()
  }

  /** Takes one rule of ACL SETUSER, `(rule …)` included; answers what is wrong with it, or undefined. */
  override apply(rule: string): string | undefined {
    switch (rule.toLowerCase()) {
      case '':
        return
      case 'on':
        this.enabled = true
        return
      case 'off':
        this.enabled = false
        return
      case 'nopass':
        this.nopass = true
        this.passwords.clear()
        return
      case 'resetpass':
        this.nopass = false
        this.passwords.clear()
        return
      case 'clearselectors':
        this.selectors = []
        return
      // What RESTORE checks: there is none.
      case 'sanitize-payload':
      case 'skip-sanitize-payload':
        return
      case 'reset':
        for (const each of ['resetpass', 'resetkeys', 'resetchannels', 'off', 'clearselectors', '-@all'])
          this.apply(each)
        return
    }
    const rest = rule.slice(1)
    switch (rule[0]) {
      case '(': {
        const selector = new Selector()
        for (const each of selectorRules(rule)) {
          const refused = selector.apply(each)
          if (refused !== undefined) return refused
        }
        this.selectors.push(selector)
        return
      }
      case '>':
        this.passwords.add(digest(rest))
        this.nopass = false
        return
      case '<':
        return this.passwords.delete(digest(rest))
          ? undefined
          : 'The password you are trying to remove from the user does not exist'
      case '#':
      case '!':
        if (!/^[0-9a-f]{64}$/.test(rest)) {
          return 'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters'
        }
        if (rule[0] === '!') {
          return this.passwords.delete(rest)
            ? undefined
            : 'The password you are trying to remove from the user does not exist'
        }
        this.passwords.add(rest)
        this.nopass = false
        return
    }
    return super.apply(rule)
  }

  get flags(): string[] {
    const flags = [this.enabled ? 'on' : 'off']
    if (this.nopass) flags.push('nopass')
    return flags
  }

  /** The line of ACL LIST, without the leading `user NAME`. */
  override describe(): string {
    const parts = [this.enabled ? 'on' : 'off']
    if (this.nopass) parts.push('nopass')
    for (const password of this.passwords) parts.push(`#${password}`)
    parts.push('sanitize-payload', super.describe())
    for (const selector of this.selectors) parts.push(`(${selector.describe()})`)
    return parts.join(' ')
  }

  accepts(password: string): boolean {
    if (!this.enabled) return false
    if (this.nopass) return true
    const given = Buffer.from(digest(password))
    let accepted = false
    for (const known of this.passwords) if (timingSafeEqual(given, Buffer.from(known))) accepted = true
    return accepted
  }

  clone(): User {
    const copy = this.copyTo(new User(this.name) as this)
    copy.enabled = this.enabled
    copy.nopass = this.nopass
    for (const password of this.passwords) copy.passwords.add(password)
    copy.selectors = this.selectors.map((selector) => selector.copyTo(new Selector()))
    return copy
  }

  /** What of a request neither its own rules nor one of its selectors allow: the nearest miss. */
  override denied(command: GuardedCommand, parent: GuardedCommand | undefined, request: Request): Denied | undefined {
    let nearest = super.denied(command, parent, request)
    for (const selector of this.selectors) {
      if (nearest === undefined) break
      const denied = selector.denied(command, parent, request)
      if (denied === undefined || nearer(denied, nearest)) nearest = denied
    }
    return nearest
  }
}

/** How near a refusal came to being none. */
const MISS = { command: 1, key: 2, channel: 3 } as const

function nearer(one: Denied, other: Denied): boolean {
  return one.reason === other.reason ? one.at > other.at : MISS[one.reason] > MISS[other.reason]
}

/** The rules inside `(…)`. */
export function selectorRules(rule: string): string[] {
  return rule
    .slice(1, -1)
    .split(' ')
    .filter((each) => each !== '')
}

function digest(password: string): string {
  return createHash('sha256').update(password, 'latin1').digest('hex')
}
