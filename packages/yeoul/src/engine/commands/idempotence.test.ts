import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Engine } from '../engine.js'
import { ManualClock } from '../io/manual-clock.js'
import { MemoryStorage } from '../io/memory-storage.js'
import { Request } from '../resp/request.js'

let clock: ManualClock
let storage: MemoryStorage
let engine: Engine

async function open(): Promise<void> {
  engine = await Engine.open({ clock, storage, directory: '/data' })
}

async function restart(): Promise<void> {
  await engine.close()
  await open()
}

beforeEach(async () => {
  clock = new ManualClock(1_000_000)
  storage = new MemoryStorage()
  await open()
})

afterEach(() => engine.close())

/** One line of words, `""` the empty one, answered with line ends shown as `|`. */
function send(line: string): string {
  const session = engine.createSession()
  engine.execute(session, Request.of(...line.split(' ').map((word) => (word === '""' ? '' : word))))
  const reply = session.output.take().toString('latin1').replaceAll('\r\n', '|')
  engine.closeSession(session)
  return reply
}

/** The idempotency fields of XINFO STREAM: duration, maxsize, producers, records, added, duplicates. */
function figures(key = 's'): number[] {
  const words = send(`XINFO STREAM ${key}`).split('|')
  const at = words.indexOf('idmp-duration')
  return [0, 1, 2, 3, 4, 5].map((i) => Number(words[at + 1 + i * 3].slice(1)))
}

describe('XADD IDMP', () => {
  it('E1 answers a repeated addition with the entry it made, per producer', () => {
    expect(send('XADD s IDMP p a * f 1')).toBe('$9|1000000-0|')
    clock.advance(5)
    expect(send('XADD s IDMP p a * f 2')).toBe('$9|1000000-0|')
    expect(send('XADD s IDMP q a * f 3')).toBe('$9|1000005-0|')
    expect(send('XADD s IDMP p * * f 4')).toBe('$9|1000005-1|')
    expect(send('XLEN s')).toBe(':3|')
    expect(figures()).toEqual([100, 100, 2, 3, 3, 1])
  })

  it('E1 IDMPAUTO takes the fields in any order for the same, and their limits into account', () => {
    const first = send('XADD s IDMPAUTO p * a 1 b 2')
    expect(send('XADD s IDMPAUTO p * b 2 a 1')).toBe(first)
    expect(send('XADD s IDMPAUTO p * a1 b 2 x')).not.toBe(first)
    expect(send('XADD s IDMPAUTO p * a 1 b 2 b 2')).not.toBe(first)
    expect(send('XADD s IDMPAUTO p * ab c')).not.toBe(send('XADD s IDMPAUTO p * a bc'))
    expect(send('XLEN s')).toBe(':5|')
  })

  it('E1 goes with the other options, and with a transaction', () => {
    expect(send('XADD s NOMKSTREAM IDMP p a * f v')).toBe('$-1|')
    expect(send('XADD s MAXLEN ~ 10 IDMP p a KEEPREF * f v')).toBe(send('XADD s IDMP p a MAXLEN 10 * f v'))
    expect(send('XADD s IDMP p a 1-1 f v')).toMatch(/^-ERR .*can be used only with auto-generated IDs\|$/)
    expect(send('XADD s IDMP p a 1-* f v')).toMatch(/^-ERR .*can be used only with auto-generated IDs\|$/)
    expect(send('XADD s IDMP p a IDMPAUTO p * f v')).toMatch(/^-ERR .*IDMP\/IDMPAUTO specified multiple times\|$/)
    expect(send('XADD s IDMP "" a * f v')).toMatch(/^-ERR .*IDMP requires a non-empty producer ID\|$/)
    expect(send('XADD s IDMPAUTO "" * f v')).toMatch(/^-ERR .*IDMPAUTO requires a non-empty producer ID\|$/)
    expect(send('XADD s IDMP p "" * f v')).toMatch(/^-ERR .*IDMP requires a non-empty idempotent ID\|$/)
    expect(send('XADD s IDMP p * f v')).toMatch(/^-ERR Invalid stream ID/)
  })

  it('E1 a repeated addition is answered also when no ID is left', () => {
    const first = send('XADD s IDMP p a * f v')
    send('XSETID s 18446744073709551615-18446744073709551615')
    expect(send('XADD s IDMP p a * f v')).toBe(first)
    expect(send('XADD s IDMP p b * f v')).toMatch(/^-ERR The stream has exhausted/)
  })

  it('E1 keeps as many records of a producer as are allowed, the newest', () => {
    send('XADD s IDMP p 0 * f v')
    expect(send('XCFGSET s IDMP-MAXSIZE 2')).toBe('+OK|')
    for (const id of ['1', '2', '3']) send(`XADD s IDMP p ${id} * f v`)
    const length = send('XLEN s')
    send('XADD s IDMP p 2 * f v')
    expect(send('XLEN s')).toBe(length)
    send('XADD s IDMP p 1 * f v')
    expect(send('XLEN s')).not.toBe(length)
    expect(figures()).toEqual([100, 2, 1, 2, 5, 1])
  })

  it('E1 forgets a record when its entry is as old as the stream says, by one timer', () => {
    send('XADD s IDMP p a * f v')
    send('XCFGSET s IDMP-DURATION 10')
    const first = send('XADD s IDMP p a * f v')
    clock.advance(9_000)
    send('XADD s IDMP p b * f v')
    expect(send('XADD s IDMP p a * f v')).toBe(first)
    clock.advance(1_000)
    expect(figures()[3]).toBe(1)
    expect(send('XADD s IDMP p a * f v')).not.toBe(first)
    send('DEL s')
    clock.advance(11_000)
    expect(clock.nextTimer).toBeUndefined()
  })

  it('E1 XCFGSET forgets all records when a setting changes, and none when it does not', () => {
    send('XADD s IDMP p a * f v')
    expect(send('XCFGSET s IDMP-DURATION 100 IDMP-MAXSIZE 100')).toBe('+OK|')
    expect(figures()).toEqual([100, 100, 1, 1, 1, 0])
    expect(send('XCFGSET s IDMP-DURATION 60')).toBe('+OK|')
    expect(figures()).toEqual([60, 100, 0, 0, 1, 0])
    expect(send('XCFGSET missing IDMP-DURATION 60')).toBe('-ERR no such key|')
    expect(send('XCFGSET s')).toBe('-ERR At least one parameter must be specified|')
    expect(send('XCFGSET s IDMP-DURATION 0')).toBe('-ERR IDMP-DURATION must be between 1 and 86400 seconds|')
    expect(send('XCFGSET s IDMP-MAXSIZE 10001')).toBe('-ERR IDMP-MAXSIZE must be between 1 and 10000 entries|')
    expect(send('XCFGSET s IIDS-ADDED 7')).toBe('-ERR syntax error|')
  })

  it('E1 new streams take their settings from the configuration', () => {
    send('XADD old 1-1 f v')
    send('CONFIG SET stream-idmp-duration 7 stream-idmp-maxsize 3')
    send('XADD s 1-1 f v')
    expect(figures().slice(0, 2)).toEqual([7, 3])
    expect(figures('old').slice(0, 2)).toEqual([100, 100])
  })

  it('E3 records, settings and counters survive a restart, a compaction, a copy and a new name', async () => {
    send('CONFIG SET stream-idmp-duration 300')
    const first = send('XADD s IDMP p a * f v')
    send('XADD s IDMP \xff* b * f v')
    send('XADD s IDMP p a * f v')
    send('XDEL s 1000000-0')
    await restart()
    expect(figures()).toEqual([300, 100, 2, 2, 2, 0])
    expect(send('XADD s IDMP p a * f v')).toBe(first)
    await engine.rewriteLog()
    send('XADD s IDMP p c * f v')
    await restart()
    expect(figures()).toEqual([300, 100, 2, 3, 3, 1])
    expect(send('XADD s IDMP p a * f v')).toBe(first)
    send('COPY s t')
    send('RENAME s u')
    await restart()
    expect(send('XADD t IDMP p a * f v')).toBe(first)
    expect(send('XADD u IDMP p a * f v')).toBe(first)
    expect(send('XLEN u')).toBe(':2|')
  })

  it('E3 a log of a newer Redis brings its records along', async () => {
    const session = engine.createSession()
    engine.log?.effect(0, 'XADD', 's', 'IDMP', 'p', 'a', '5-1', 'f', 'v')
    engine.log?.effect(0, 'XIDMPRECORD', 's', 'p', 'b', '5-1')
    engine.closeSession(session)
    await restart()
    expect(send('XADD s IDMP p a * f v')).toBe('$3|5-1|')
    expect(send('XADD s IDMP p b * f v')).toBe('$3|5-1|')
  })

  it('E1 XIDMPRECORD keeps to entries that are there, and to what is known', () => {
    send('XADD s 1-1 f v')
    send('XADD s 2-1 f v')
    expect(send('XIDMPRECORD s p a 1-1')).toBe('+OK|')
    expect(send('XIDMPRECORD s p a 1-1')).toBe('+OK|')
    expect(send('XIDMPRECORD s p a 2-1')).toMatch(/maps to a different stream ID/)
    expect(send('XIDMPRECORD s p b 3-1')).toMatch(/was deleted or doesn't exist/)
    expect(send('XADD s IDMP p a * f v')).toBe('$3|1-1|')
  })
})
