import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EffectBuffer } from './aof/effect-buffer.js'
import { HEADER_LENGTH } from './aof/record.js'
import { Engine } from './engine.js'
import { ManualClock } from './io/manual-clock.js'
import { MemoryStorage } from './io/memory-storage.js'
import { RequestParser } from './resp/parser.js'
import { Request } from './resp/request.js'
import type { Session } from './session.js'
import { Snapshot } from './snapshot.js'

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
/** Near the beginning, and among what the compaction test puts in first. */
const id = fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 200, max: 720 })).map((ms) => `${ms}-0`)
const stream = pick('s', 't')
const anyKey = pick('s', 't', 'h', 'z', 'str', 'other')
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(pick('XADD'), stream, pick('*'), pick('f'), pick('v', 'w')),
  fc.tuple(pick('XADD'), stream, pick('*'), pick('f'), pick('v', 'w')),
  fc.tuple(pick('XADD'), stream, pick('MAXLEN'), pick('~', '='), pick(2, 6), pick('*'), pick('f'), pick('v')),
  fc.tuple(pick('XADD'), stream, pick('NOMKSTREAM'), id, pick('f'), pick('v')),
  fc.tuple(pick('XTRIM'), stream, pick('MAXLEN'), pick('~', '='), pick(0, 1, 3, 8)),
  fc.tuple(pick('XDEL'), stream, id, id),
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

/** Each look at it takes long, so that a slice of work is over after a few steps. */
class BusyClock extends ManualClock {
  #looks = 0

  override monotonic(): number {
    this.#looks += 2
    return super.monotonic() + this.#looks
  }
}

/** Time begins at 1 ms, so that generated IDs meet those that are given out. */
async function history(
  commands: readonly Command[],
  between: (engine: Engine, i: number) => Promise<void>,
  preload = 0,
) {
  const storage = new MemoryStorage()
  const clock = new BusyClock(1)
  const before = await Engine.open(opening(storage, clock))
  const session = before.createSession()
  for (let i = 0; i < preload; i++) {
    send(before, session, 'XADD', 's', '*', 'f', i)
    send(before, session, 'HSET', 'h', `field${i}`, 'v'.repeat(70))
    send(before, session, 'ZADD', 'z', i % 50, `member${i}`)
    clock.advance(1)
  }
  if (preload > 0) {
    send(before, session, 'XGROUP', 'CREATE', 's', 'g', 0)
    send(before, session, 'XREADGROUP', 'GROUP', 'g', 'a', 'COUNT', preload >> 1, 'STREAMS', 's', '>')
    send(before, session, 'XDEL', 's', '5-0', `${preload >> 2}-0`)
    send(before, session, 'XTRIM', 's', 'MAXLEN', '~', preload - 20)
  }
  for (const [i, each] of commands.entries()) {
    await between(before, i)
    send(before, session, ...each)
    clock.advance(1)
  }
  await between(before, commands.length)
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

  it('E6 a base holds what was there when it began, though it is removed before its turn', async () => {
    const engine = await Engine.open({ config: { 'stream-node-max-entries': '10' } })
    const session = engine.createSession()
    for (let i = 1; i <= 1000; i++) send(engine, session, 'XADD', 's', `${i}-0`, 'f', i)
    send(engine, session, 'XGROUP', 'CREATE', 's', 'g', 0)
    send(engine, session, 'XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', 's', '>')
    send(engine, session, 'XDEL', 's', '700-0', '701-0')
    send(engine, session, 'XTRIM', 's', 'MINID', '10-0')
    const wanted = state(engine)

    const sink = new EffectBuffer()
    const snapshot = new Snapshot(engine.databases, sink, () => {})
    engine.snapshot = snapshot
    snapshot.next()
    snapshot.next()
    send(engine, session, 'XDEL', 's', '150-0', '500-0')
    send(engine, session, 'XTRIM', 's', 'MAXLEN', '~', 300)
    send(engine, session, 'XADD', 's', 'MINID', '950-0', '2000-0', 'f', 'v')
    send(engine, session, 'XTRIM', 's', 'MAXLEN', 0)
    while (!snapshot.next().done);

    const again = await Engine.open({ config: { 'stream-node-max-entries': '10' } })
    again.loading = true
    const parser = new RequestParser()
    parser.push(sink.memory.subarray(HEADER_LENGTH, sink.end))
    const loader = again.createSession()
    for (let request = parser.next(); request !== undefined; request = parser.next()) {
      again.execute(loader, request)
      expect(loader.output.take().toString('latin1')).not.toMatch(/^-/)
    }
    expect(state(again)).toEqual(wanted)
    await engine.close()
    await again.close()
  })

  it('E6 a log that is compacted while commands go on replays to the same', async () => {
    let compacted = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(command, fc.integer({ min: 0, max: 2 })), { size: 'max', maxLength: 80 }),
        fc.nat(10),
        fc.constantFrom(0, 700),
        async (steps, start, preload) => {
          let rewrite: Promise<void> | undefined
          const { wanted, found } = await history(
            steps.map(([each]) => each),
            async (engine, i) => {
              if (i === start) {
                rewrite = engine.rewriteLog().then(
                  () => void compacted++,
                  (error: Error) => {
                    if (!/swapped|being closed/.test(error.message)) throw error
                  },
                )
              }
              if (i === steps.length) await rewrite
              else for (let turns = steps[i][1]; turns > 0; turns--) await turn()
            },
            preload,
          )
          expect(found).toEqual(wanted)
        },
      ),
      { numRuns: 100 },
    )
    expect(compacted).toBeGreaterThan(50)
  })
})
