import type { Request } from '../resp/request.js'
import type { Session } from '../session.js'
import { type Call, type Command, CommandError, type EngineState } from './command.js'

/** MULTI */
function multi({ session, reply }: Call): void {
  if (session.transaction !== undefined) throw new CommandError('ERR MULTI calls can not be nested')
  session.transaction = { queued: [], failed: false }
  reply.ok()
}

/** EXEC: runs what was queued as one piece; its effects are one transaction of the log. */
function exec({ engine, session, reply, now }: Call): void {
  const { transaction } = session
  if (transaction === undefined) throw new CommandError('ERR EXEC without MULTI')
  const changed = session.watched.some(({ database, key, version }) => database.version(key, now) !== version)
  discard(session)
  if (transaction.failed) throw new CommandError('EXECABORT Transaction discarded because of previous errors.')
  if (changed) {
    reply.nilArray()
    return
  }
  reply.array(transaction.queued.length)
  engine.transaction(() => {
    for (const request of transaction.queued) {
      const refusal = noLongerAllowed(engine, session, request)
      if (refusal === undefined) engine.perform(session, request, now)
      else {
        reply.error(refusal)
        engine.stats.error(refusal)
      }
    }
  })
}

function noLongerAllowed(engine: EngineState, session: Session, request: Request): string | undefined {
  const row = engine.table.get(request.string(0).toLowerCase())
  if (row === undefined) return undefined
  const word = row.subcommands === undefined || request.count < 2 ? '' : request.string(1).toLowerCase()
  const sub = row.subcommands?.find((each) => each.name === word)
  return engine.acl.refuseQueued(session, sub ?? row, sub && row, request)
}

/** DISCARD */
function discardCommand({ session, reply }: Call): void {
  if (session.transaction === undefined) throw new CommandError('ERR DISCARD without MULTI')
  discard(session)
  reply.ok()
}

/** WATCH key [key …] */
function watch({ session, database, request, reply, now }: Call): void {
  if (session.transaction !== undefined) throw new CommandError('ERR WATCH inside MULTI is not allowed')
  for (let i = 1; i < request.count; i++) {
    const key = request.string(i)
    if (session.watched.some((watched) => watched.database === database && watched.key === key)) continue
    // What has expired by now is gone already: its removal is no change.
    database.get(key, now)
    session.watched.push({ database, key, version: database.watch(key) })
  }
  reply.ok()
}

/** UNWATCH */
function unwatchCommand({ session, reply }: Call): void {
  unwatch(session)
  reply.ok()
}

/** Drops what was queued and watched. */
export function discard(session: Session): void {
  session.transaction = undefined
  unwatch(session)
}

function unwatch(session: Session): void {
  for (const { database, key } of session.watched) database.unwatch(key)
  session.watched.length = 0
}

function row(name: string, arity: number, since: string, summary: string, handler: Command['handler']): Command {
  return {
    name,
    arity,
    flags:
      name === 'exec'
        ? ['noscript', 'loading', 'stale', 'skip_slowlog']
        : ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    keys: name === 'watch' ? { first: 1, last: -1, step: 1 } : null,
    since,
    group: 'transactions',
    summary,
    complexity: name === 'exec' ? 'Depends on commands in the transaction' : 'O(1)',
    categories: name === 'exec' ? ['slow', 'transaction'] : ['fast', 'transaction'],
    handler,
  }
}

export const transactionCommands: readonly Command[] = [
  row('multi', 1, '1.2.0', 'Starts a transaction.', multi),
  row('exec', 1, '1.2.0', 'Executes all commands in a transaction.', exec),
  row('discard', 1, '2.0.0', 'Discards a transaction.', discardCommand),
  row('watch', -2, '2.2.0', 'Monitors changes to keys to determine the execution of a transaction.', watch),
  row('unwatch', 1, '2.2.0', 'Forgets about watched keys of a transaction.', unwatchCommand),
]
