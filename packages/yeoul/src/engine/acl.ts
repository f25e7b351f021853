import { type Denied, type GuardedCommand, User } from './acl-user.js'
import type { Config } from './config.js'
import type { Request } from './resp/request.js'
import type { Session } from './session.js'

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

const REASONS = {
  command: 'no permission to execute the command or subcommand',
  key: 'no permission to touch the specified keys',
  channel: 'no permission to access one of the channels used as arguments',
} as const

/** Of a refused key's name the log keeps so much: the name itself may be half a gigabyte. */
const NAMED_LENGTH = 1024

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

  /** As `refuse`, of a command that EXEC is about to run: rights may have changed since it was queued. */
  refuseQueued(
    session: Session,
    command: GuardedCommand,
    parent: GuardedCommand | undefined,
    request: Request,
  ): string | undefined {
    if (this.#open && session.user === 'default') return undefined
    const user = this.users.get(session.user)
    const denied = user === undefined ? undefined : this.denied(user, command, parent, request)
    if (denied === undefined) return undefined
    this.deny(session, denied.reason, denied.object, session.user, 'multi')
    return (
      'NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is ' +
      `no longer allowed for the following reason: ${REASONS[denied.reason]}`
    )
  }

  /** What of a request a user may not do. */
  denied(
    user: User,
    command: GuardedCommand,
    parent: GuardedCommand | undefined,
    request: Request,
  ): Denied | undefined {
    return command.flags.includes('no_auth') ? undefined : user.denied(command, parent, request)
  }

  /** Notes a refusal for ACL LOG; the same one within a minute is counted, not repeated. */
  deny(
    session: Session,
    reason: Denial['reason'],
    named: string,
    user = session.user,
    context: Denial['context'] = session.transaction === undefined ? 'toplevel' : 'multi',
  ): void {
    const now = Date.now()
    const object = named.slice(0, NAMED_LENGTH)
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
