import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Engine } from './engine.js'
import { ManualClock } from './io/manual-clock.js'
import { MemoryStorage } from './io/memory-storage.js'
import { Request } from './resp/request.js'
import type { Session } from './session.js'

type Command = (string | number)[]

function send(engine: Engine, session: Session, ...words: Command): string {
  engine.execute(session, Request.fromBuffers(words.map((word) => Buffer.from(String(word), 'latin1'))))
  return session.output.take().toString('latin1')
}

/** The whole state as commands show it; times that only say when somebody was last seen are left out. */
function state(engine: Engine): string[] {
  const session = engine.createSession()
  const lines: string[] = []
  for (const database of engine.databases) {
    send(engine, session, 'SELECT', database.index)
    for (const key of [...database.keys].sort()) {
      const type = send(engine, session, 'TYPE', key)
      if (type.startsWith('+none')) continue
      const value = type.startsWith('+stream')
        ? streamState(engine, session, key)
        : type.startsWith('+string')
          ? send(engine, session, 'GET', key)
          : type.startsWith('+hash')
            ? send(engine, session, 'HGETALL', key).split('\r\n').sort().join('|')
            : send(engine, session, 'ZRANGE', key, 0, -1, 'WITHSCORES')
      const expiry = send(engine, session, 'PEXPIRETIME', key)
      lines.push(JSON.stringify([database.index, key, type, value, expiry]))
    }
  }
  engine.closeSession(session)
  return lines
}

function streamState(engine: Engine, session: Session, key: string): string {
  return send(engine, session, 'XINFO', 'STREAM', key, 'FULL', 'COUNT', 0)
    .replace(/\$9\r\nseen-time\r\n:\d+\r\n/g, '')
    .replace(/\$11\r\nactive-time\r\n:-?\d+\r\n/g, '')
    .replace(/\$15\r\nradix-tree-keys\r\n:\d+\r\n\$16\r\nradix-tree-nodes\r\n:\d+\r\n/g, '')
}

const pick = <T extends string | number>(...values: T[]) => fc.constantFrom(...values)
const id = fc.integer({ min: 1, max: 30 }).map((ms) => `${ms}-0`)
const stream = pick('s', 't')
const anyKey = pick('s', 't', 'h', 'z', 'str', 'other')
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(pick('XADD'), stream, pick('*'), pick('f'), pick('v', 'w')),
  fc.tuple(pick('XADD'), stream, pick('*'), pick('f'), pick('v', 'w')),
  fc.tuple(pick('XADD'), stream, pick('MAXLEN'), pick('~', '='), pick(2, 6), pick('*'), pick('f'), pick('v')),
  fc.tuple(pick('XADD'), stream, pick('NOMKSTREAM'), id, pick('f'), pick('v')),
  fc.tuple(pick('XTRIM'), stream, pick('MAXLEN'), pick('~', '='), pick(0, 1, 3, 8)),
  fc.tuple(pick('XDEL'), stream, id),
  fc.tuple(pick('XGROUP'), pick('CREATE'), stream, pick('g', 'h'), pick('0', '$'), pick('MKSTREAM')),
  fc.tuple(pick('XGROUP'), pick('SETID'), stream, pick('g', 'h'), pick('0', '3-0', '$')),
  fc.tuple(pick('XGROUP'), pick('DESTROY'), stream, pick('h')),
  fc.tuple(pick('XGROUP'), pick('DELCONSUMER'), stream, pick('g'), pick('a')),
  fc.tuple(
    pick('XREADGROUP'),
    pick('GROUP'),
    pick('g', 'h'),
    pick('a', 'b'),
    pick('COUNT'),
    pick(1, 3, 20),
    pick('STREAMS'),
    stream,
    pick('>', '>', '>', '0'),
  ),
  fc.tuple(pick('XREADGROUP'), pick('GROUP'), pick('g'), pick('a'), pick('NOACK'), pick('STREAMS'), stream, pick('>')),
  fc.tuple(pick('XACK'), stream, pick('g'), id, id),
  fc.tuple(pick('XAUTOCLAIM'), stream, pick('g'), pick('b'), pick(0), pick('0'), pick('COUNT'), pick(2, 10)),
  fc.tuple(pick('XCLAIM'), stream, pick('g'), pick('b'), pick(0), id, pick('RETRYCOUNT'), pick(1, 9)),
  fc.tuple(pick('XSETID'), stream, pick('40-0'), pick('ENTRIESADDED'), pick(50), pick('MAXDELETEDID'), pick('2-0')),
  fc.tuple(pick('SET'), pick('str', 'other'), pick('1', '5'), pick('PX'), pick(5, 1000)),
  fc.tuple(pick('SET'), pick('str', 'other'), pick('1', '5')),
  fc
    .tuple(pick('INCR', 'APPEND'), pick('str'))
    .map(([name, key]) => (name === 'INCR' ? [name, key] : [name, key, '0'])),
  fc.tuple(pick('HSET'), pick('h', 'other'), pick('a', 'b', 'c'), pick('1', '2')),
  fc.tuple(pick('HDEL'), pick('h', 'other'), pick('a', 'b', 'c')),
  fc.tuple(pick('HINCRBY'), pick('h'), pick('a', 'b'), pick(1, 7)),
  fc.tuple(pick('ZADD'), pick('z', 'other'), pick('1', '2.5', '-inf'), pick('m', 'n', 'o')),
  fc.tuple(pick('ZINCRBY'), pick('z'), pick('1', '2.5'), pick('m', 'n')),
  fc
    .tuple(pick('ZREM', 'ZPOPMIN'), pick('z', 'other'))
    .map(([name, key]) => (name === 'ZREM' ? [name, key, 'm'] : [name, key])),
  fc.tuple(pick('DEL', 'PERSIST'), anyKey),
  fc.tuple(pick('RENAME'), anyKey, anyKey),
  fc.tuple(pick('COPY'), anyKey, anyKey, pick('REPLACE')),
  fc.tuple(pick('MOVE'), anyKey, pick(1)),
  fc.tuple(pick('PEXPIRE'), anyKey, pick(5, 1000)),
  fc.tuple(pick('SELECT'), pick(0, 0, 1)),
  fc.tuple(pick('SWAPDB'), pick(0), pick(1)),
  fc.tuple(pick('FLUSHDB')),
  fc.tuple(pick('MULTI', 'EXEC')),
)

function opening(storage: MemoryStorage, clock: ManualClock) {
  return {
    directory: '/data',
    storage,
    clock,
    config: { 'stream-node-max-entries': '3' },
    onError: (error: Error) => {
      throw error
    },
  } as const
}

/** Time begins at 1 ms, so that generated IDs meet those that are given out. */
async function history(commands: readonly Command[], between: (engine: Engine, i: number) => Promise<void>) {
  const storage = new MemoryStorage()
  const clock = new ManualClock(1)
  const before = await Engine.open(opening(storage, clock))
  const session = before.createSession()
  for (const [i, each] of commands.entries()) {
    await between(before, i)
    send(before, session, ...each)
    clock.advance(1)
  }
  // What is due expires now, not between the two looks.
  const wanted = state(before)
  await before.close()
  const after = await Engine.open(opening(storage, clock))
  const found = state(after)
  await after.close()
  return { wanted, found }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('what was logged comes back', () => {
  it('E3 random histories, groups, pending entries, counters and expiry included, are the same after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 80 }), async (commands) => {
        const { wanted, found } = await history(commands, async () => {})
        expect(found).toEqual(wanted)
      }),
      { numRuns: 100 },
    )
  })

  it('E6 a log that is compacted while commands go on replays to the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(command, fc.boolean()), { maxLength: 80 }),
        fc.integer({ min: 0, max: 60 }),
        async (steps, start) => {
          let rewrite: Promise<void> | undefined
          const { wanted, found } = await history(
            steps.map(([each]) => each),
            async (engine, i) => {
              if (i === start) {
                rewrite = engine.rewriteLog().catch((error: Error) => {
                  if (!/swapped|being closed/.test(error.message)) throw error
                })
              }
              if (steps[i][1]) await turn()
            },
          )
          await rewrite
          expect(found).toEqual(wanted)
        },
      ),
      { numRuns: 100 },
    )
  })
})
