import { createHash, timingSafeEqual } from 'node:crypto'
import type { Config } from './config.js'
import { glob } from './glob.js'
import { type KeyPositions, keyPositions } from './key-positions.js'
import type { Request } from './resp/request.js'
import type { Session } from './session.js'

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

export interface KeyPattern {
  pattern: string
  read: boolean
  write: boolean
}

/**
 * One user. Command rules are kept in the order given and the last one that speaks of a command decides:
 * `+@read -@dangerous +config|get`. `+@all` and `-@all` forget what came before.
 */
export class User {
  enabled = false
  nopass = false
  /** SHA-256, lower-case hex. */
  readonly passwords = new Set<string>()
  rules: string[] = ['-@all']
  keys: KeyPattern[] = []
  channels: string[] = []
  #allowed = new WeakMap<GuardedCommand, boolean>()

  constructor(readonly name: string) {}

  get allKeys(): boolean {
    return this.keys.some((key) => key.pattern === '*' && key.read && key.write)
  }

  get allChannels(): boolean {
    return this.channels.includes('*')
  }

  get unrestricted(): boolean {
    return this.allKeys && this.allChannels && this.rules.length === 1 && this.rules[0] === '+@all'
  }

  /** Takes one rule of ACL SETUSER; answers what is wrong with it, or undefined. */
  apply(rule: string): string | undefined {
    const word = rule.toLowerCase()
    switch (word) {
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
      case 'allkeys':
        return this.apply('~*')
      case 'resetkeys':
        this.keys = []
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
      case 'clearselectors':
      case 'sanitize-payload':
      case 'skip-sanitize-payload':
        return
      case 'reset':
        for (const each of ['resetpass', 'resetkeys', 'resetchannels', 'off', '-@all']) this.apply(each)
        return
    }
    const rest = rule.slice(1)
    switch (rule[0]) {
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
      case '~':
        return this.#addKey({ pattern: rest, read: true, write: true })
      case '%': {
        const match = /^([RW]{1,2})~(.*)$/is.exec(rest)
        if (match === null) return 'Syntax error'
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
    if (this.allKeys && key.pattern !== '*') {
      return "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
    }
    if (key.pattern === '*' && key.read && key.write) this.keys = [key]
    else {
      const same = this.keys.find((other) => other.pattern === key.pattern)
      if (same === undefined) this.keys.push(key)
      else {
        same.read ||= key.read
        same.write ||= key.write
      }
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

  get flags(): string[] {
    const flags = [this.enabled ? 'on' : 'off']
    if (this.nopass) flags.push('nopass')
    return flags
  }

  /** The line of ACL LIST, without the leading `user NAME`. */
  describe(): string {
    const parts = [this.enabled ? 'on' : 'off']
    if (this.nopass) parts.push('nopass')
    for (const password of this.passwords) parts.push(`#${password}`)
    parts.push('sanitize-payload')
    if (this.keys.length > 0) parts.push(this.keyRules)
    if (!this.allChannels) parts.push('resetchannels')
    if (this.channels.length > 0) parts.push(this.channelRules)
    parts.push(this.commandRules)
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
    const copy = new User(this.name)
    copy.enabled = this.enabled
    copy.nopass = this.nopass
    for (const password of this.passwords) copy.passwords.add(password)
    copy.rules = [...this.rules]
    copy.keys = this.keys.map((key) => ({ ...key }))
    copy.channels = [...this.channels]
    return copy
  }
}

export interface Denial {
  readonly id: number
  count: number
  readonly reason: 'auth' | 'command' | 'key' | 'channel'
  readonly context: 'toplevel' | 'multi'
  readonly object: string
  readonly user: string
  readonly createdAt: number
  updatedAt: number
  readonly client: string
}

/** Users and their rights; every command of every session passes `refuse`. */
export class AccessControl {
  readonly users = new Map<string, User>()
  readonly #config: Config
  #denials: Denial[] = []
  #denialId = 0
  /** The default user may do everything: the hot path asks no further. */
  #open = true

  constructor(config: Config) {
    this.#config = config
    const user = new User('default')
    for (const rule of ['on', 'nopass', '~*', '&*', '+@all']) user.apply(rule)
    this.users.set('default', user)
    config.onChange('requirepass', () => this.#takePassword())
    this.#takePassword()
  }

  get default(): User {
    return this.users.get('default')!
  }

  /** A new peer counts as authenticated when the default user needs no password. */
  get openToAll(): boolean {
    return this.default.enabled && this.default.nopass
  }

  #takePassword(): void {
    const user = this.default
    user.apply('resetpass')
    user.apply(this.#config.requirepass === '' ? 'nopass' : `>${this.#config.requirepass}`)
    this.changed()
  }

  /** To be called after a user was changed. */
  changed(): void {
    this.#open = this.default.unrestricted
  }

  /** Names and passwords are latin1 strings. */
  authenticate(session: Session, name: string, password: string): boolean {
    if (!this.users.get(name)?.accepts(password)) {
      this.deny(session, 'auth', 'AUTH', name)
      return false
    }
    session.user = name
    session.authenticated = true
    return true
  }

  /** The error that forbids this command to the session, or undefined. */
  refuse(
    session: Session,
    command: GuardedCommand,
    parent: GuardedCommand | undefined,
    request: Request,
  ): string | undefined {
    if (session.authenticated && this.#open && session.user === 'default') return undefined
    if (command.flags.includes('no_auth')) return undefined
    if (!session.authenticated) return 'NOAUTH Authentication required.'
    const user = this.users.get(session.user)
    if (user === undefined) return 'NOAUTH Authentication required.'
    const denied = this.denied(user, command, parent, request)
    if (denied === undefined) return undefined
    this.deny(session, denied.reason, denied.object)
    switch (denied.reason) {
      case 'command':
        return `NOPERM User ${user.name} has no permissions to run the '${denied.object}' command`
      case 'key':
        return 'NOPERM No permissions to access a key'
      default:
        return 'NOPERM No permissions to access a channel'
    }
  }

  /** What of a request a user may not do. */
  denied(
    user: User,
    command: GuardedCommand,
    parent: GuardedCommand | undefined,
    request: Request,
  ): { reason: 'command' | 'key' | 'channel'; object: string } | undefined {
    if (user.unrestricted || command.flags.includes('no_auth')) return undefined
    if (!user.allows(command, parent)) {
      return { reason: 'command', object: parent === undefined ? command.name : `${parent.name}|${command.name}` }
    }
    if (!user.allKeys) {
      const write = command.flags.includes('write')
      for (const i of keyPositions(command.keys, request)) {
        if (!user.allowsKey(request.string(i), !write, write)) return { reason: 'key', object: request.string(i) }
      }
    }
    if (!user.allChannels) {
      const channels = parent === undefined ? CHANNELS[command.name] : undefined
      const end = channels === undefined ? 0 : channels.all ? request.count : channels.first + 1
      for (let i = channels?.first ?? 0; i < end; i++) {
        if (!user.allowsChannel(request.string(i), channels!.patterns)) {
          return { reason: 'channel', object: request.string(i) }
        }
      }
    }
    return undefined
  }

  /** Notes a refusal for ACL LOG; the same one within a minute is counted, not repeated. */
  deny(session: Session, reason: Denial['reason'], object: string, user = session.user): void {
    const now = Date.now()
    const context = session.transaction === undefined ? 'toplevel' : 'multi'
    const same = this.#denials.find(
      (each) =>
        each.reason === reason &&
        each.object === object &&
        each.user === user &&
        each.context === context &&
        now - each.updatedAt < 60_000,
    )
    if (same !== undefined) {
      same.count++
      same.updatedAt = now
      return
    }
    const client = `id=${session.id} addr=${session.address} name=${session.name}`
    const id = this.#denialId++
    this.#denials.unshift({ id, count: 1, reason, context, object, user, createdAt: now, updatedAt: now, client })
    if (this.#denials.length > this.#config.acllogMaxLen) this.#denials.length = this.#config.acllogMaxLen
  }

  denials(count: number): readonly Denial[] {
    return this.#denials.slice(0, count)
  }

  forgetDenials(): void {
    this.#denials = []
  }
}

function digest(password: string): string {
  return createHash('sha256').update(password, 'latin1').digest('hex')
}
