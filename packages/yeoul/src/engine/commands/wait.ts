import type { AppendOnlyFile } from '../aof/log.js'
import type { Timer } from '../io/clock.js'
import type { Reply } from '../resp/reply.js'
import type { Parked } from '../session.js'
import { type Call, type Command, CommandError, notAnInteger } from './command.js'

/** WAIT numreplicas timeout: there are no replicas and there never will be, so the answer is known at once. */
function wait({ request, reply }: Call): void {
  if (!/^-?[0-9]{1,15}$/.test(request.string(1))) throw notAnInteger()
  timeoutOf(request.string(2))
  reply.integer(0)
}

/** WAITAOF numlocal numreplicas timeout: until everything written before is synced to the disk, or `timeout` ms (0 = for ever) */
function waitAof(call: Call): void {
  const { engine, request, reply } = call
  const local = request.string(1)
  if (local !== '0' && local !== '1') {
    throw new CommandError(
      /^[0-9]+$/.test(local) ? 'ERR value is out of range, value must between 0 and 1' : notAnInteger().text,
    )
  }
  if (!/^[0-9]{1,9}$/.test(request.string(2))) throw notAnInteger()
  const timeout = timeoutOf(request.string(3))
  const { log } = engine
  if (local === '1' && log === undefined) {
    throw new CommandError('ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.')
  }
  const synced = log !== undefined && log.synced >= log.written
  // With `always` the reply itself waits for the sync.
  if (log === undefined || local === '0' || synced || call.inTransaction || engine.config.appendfsync === 'always') {
    answer(reply, synced || engine.config.appendfsync === 'always')
  } else park(call, log, timeout)
}

function park({ engine, session }: Call, log: AppendOnlyFile, timeout: number): void {
  let timer: Timer | undefined
  const deadline = timeout === 0 ? Number.POSITIVE_INFINITY : engine.clock.monotonic() + timeout
  const parked: Parked = {
    session,
    deadline,
    end: () => {
      timer?.cancel()
      if (session.parked === parked) session.parked = undefined
    },
  }
  const finish = (synced: boolean) => {
    if (session.parked !== parked) return
    parked.end()
    answer(session.output, synced)
    session.onOutput(session)
  }
  session.parked = parked
  if (timeout > 0) timer = engine.clock.after(Math.min(timeout, 0x7fffffff), () => finish(false))
  // A disk that refuses is not synced; the log goes on trying, this caller is told what holds now.
  log.sync().then(
    () => finish(true),
    () => finish(false),
  )
}

function answer(reply: Reply, synced: boolean): void {
  reply.array(2)
  reply.integer(synced ? 1 : 0)
  reply.integer(0)
}

function timeoutOf(text: string): number {
  if (!/^-?[0-9]{1,15}$/.test(text)) throw new CommandError('ERR timeout is not an integer or out of range')
  if (text[0] === '-') throw new CommandError('ERR timeout is negative')
  return Number(text)
}

const base = {
  keys: null,
  group: 'generic',
  flags: ['blocking'],
  categories: ['slow', 'blocking', 'connection'],
  complexity: 'O(1)',
} as const

export const waitCommands: readonly Command[] = [
  {
    ...base,
    name: 'wait',
    arity: 3,
    since: '3.0.0',
    summary: 'Blocks until the asynchronous replication of all preceding write commands is completed.',
    handler: wait,
  },
  {
    ...base,
    name: 'waitaof',
    arity: 4,
    since: '7.2.0',
    summary: 'Blocks until all preceding write commands have been written to the append-only file.',
    handler: waitAof,
  },
]
