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

beforeEach(async () => {
  clock = new ManualClock(1_000_000)
  storage = new MemoryStorage()
  await open()
})

afterEach(() => engine.close())

/** One line of words, answered with line ends shown as `|`. */
function send(line: string): string {
  const session = engine.createSession()
  engine.execute(session, Request.of(...line.split(' ')))
  const reply = session.output.take().toString('latin1').replaceAll('\r\n', '|')
  engine.closeSession(session)
  return reply
}

async function restart(): Promise<void> {
  await engine.close()
  await open()
}

describe('what newer servers than 7.0 know of streams', () => {
  beforeEach(() => {
    for (const id of ['1-1', '2-1', '3-1', '4-1']) send(`XADD s ${id} f v`)
    send('XGROUP CREATE s g 0')
    send('XREADGROUP GROUP g c COUNT 3 STREAMS s >')
  })

  it('E1 XDELEX KEEPREF leaves what is pending', async () => {
    expect(send('XDELEX s IDS 3 1-1 1-1 9-9')).toBe('*3|:1|:-1|:-1|')
    expect(send('XPENDING s g')).toMatch(/^\*4\|:3\|/)
    await restart()
    expect(send('XLEN s')).toBe(':3|')
  })

  it('E1 XDELEX DELREF takes it along, also of entries that went before', async () => {
    send('XDEL s 1-1')
    expect(send('XDELEX s DELREF IDS 2 1-1 2-1')).toBe('*2|:-1|:1|')
    expect(send('XPENDING s g')).toBe('*4|:1|$3|3-1|$3|3-1|*1|*2|$1|c|$1|1|')
    await restart()
    expect(send('XPENDING s g')).toBe('*4|:1|$3|3-1|$3|3-1|*1|*2|$1|c|$1|1|')
  })

  it('E1 XDELEX ACKED removes only what nobody has still to read or to acknowledge', () => {
    send('XACK s g 1-1')
    expect(send('XDELEX s ACKED IDS 3 1-1 2-1 4-1')).toBe('*3|:1|:2|:2|')
    expect(send('XLEN s')).toBe(':3|')
  })

  it('E1 XDELEX refuses what is no list of IDs', () => {
    expect(send('XDELEX s IDS 0 1-1')).toBe('-ERR Number of IDs must be a positive integer|')
    expect(send('XDELEX s IDS 2 1-1')).toBe('-ERR The `numids` parameter must match the number of arguments|')
    expect(send('XDELEX s KEEPREF 1 1-1')).toBe('-ERR syntax error|')
    expect(send('XDELEX none IDS 2 1-1 2-1')).toBe('*2|:-1|:-1|')
  })

  it('E1 XACKDEL acknowledges, and deletes what nobody else refers to', async () => {
    send('XGROUP CREATE s h 0')
    expect(send('XACKDEL s g ACKED IDS 2 1-1 4-1')).toBe('*2|:2|:-1|')
    expect(send('XACKDEL s g KEEPREF IDS 1 2-1')).toBe('*1|:1|')
    expect(send('XACKDEL s none IDS 1 3-1')).toBe('*1|:-1|')
    await restart()
    expect(send('XRANGE s - +')).toBe('*3|*2|$3|1-1|*2|$1|f|$1|v|*2|$3|3-1|*2|$1|f|$1|v|*2|$3|4-1|*2|$1|f|$1|v|')
    expect(send('XPENDING s g')).toMatch(/^\*4\|:1\|\$3\|3-1/)
  })

  it('E1 XTRIM ACKED keeps what is referenced; the rest goes, after a restart too', async () => {
    send('XACK s g 2-1')
    expect(send('XTRIM s MAXLEN 0 ACKED')).toBe(':1|')
    expect(send('XLEN s')).toBe(':3|')
    await restart()
    expect(send('XLEN s')).toBe(':3|')
    send('XACK s g 1-1 3-1')
    expect(send('XADD s MAXLEN 1 ACKED 5-1 f v')).toBe('$3|5-1|')
    expect(send('XLEN s')).toBe(':2|')
  })

  it('E1 XTRIM DELREF takes along what is pending', () => {
    expect(send('XTRIM s MAXLEN 2 DELREF')).toBe(':2|')
    expect(send('XPENDING s g')).toMatch(/^\*4\|:1\|\$3\|3-1/)
  })

  it('E1 XNACK gives back: nobody’s, due at once, counted as asked', async () => {
    expect(send('XNACK s g SILENT IDS 1 1-1')).toBe(':1|')
    expect(send('XNACK s g FAIL IDS 1 2-1')).toBe(':1|')
    expect(send('XNACK s g FATAL IDS 2 3-1 9-9')).toBe(':1|')
    expect(send('XNACK s g FAIL IDS 1 1-1')).toBe(':0|')
    const pending =
      '*3|*4|$3|1-1|$0||:1000000|:0|*4|$3|2-1|$0||:1000000|:1|*4|$3|3-1|$0||:1000000|:9223372036854775807|'
    expect(send('XPENDING s g - + 10')).toBe(pending)
    await restart()
    expect(send('XPENDING s g - + 10')).toBe(pending)
    expect(send('XPENDING s g')).toBe('*4|:3|$3|1-1|$3|3-1|*0|')
    expect(send('XREADGROUP GROUP g d COUNT 1 CLAIM 5000 STREAMS s >')).toBe(
      '*1|*2|$1|s|*1|*4|$3|1-1|*2|$1|f|$1|v|:0|:0|',
    )
    expect(send('XNACK none g FAIL IDS 1 1-1')).toBe(':0|')
    expect(send('XNACK s g OTHER IDS 1 1-1')).toBe('-ERR XNACK mode must be SILENT, FAIL, or FATAL|')
  })

  it('E1 XREADGROUP CLAIM gives what is idle first, then what is new', () => {
    clock.advance(50)
    send('XCLAIM s g c 0 2-1 IDLE 0')
    expect(send('XREADGROUP GROUP g d CLAIM 50 STREAMS s >')).toBe(
      '*1|*2|$1|s|*3|*4|$3|1-1|*2|$1|f|$1|v|:50|:1|*4|$3|3-1|*2|$1|f|$1|v|:50|:1|*4|$3|4-1|*2|$1|f|$1|v|:0|:0|',
    )
  })

  it('E1 XREAD + gives the last entry, MAXCOUNT bounds all streams together', () => {
    send('XADD t 9-1 f v')
    expect(send('XREAD STREAMS s t + +')).toBe(
      '*2|*2|$1|s|*1|*2|$3|4-1|*2|$1|f|$1|v|*2|$1|t|*1|*2|$3|9-1|*2|$1|f|$1|v|',
    )
    expect(send('XREAD MAXCOUNT 1 STREAMS s t 3-1 0')).toBe('*1|*2|$1|s|*1|*2|$3|4-1|*2|$1|f|$1|v|')
  })

  it('E1 lag and entries-read are exact, or null when tombstones make them unknowable', () => {
    const groups = (reads: string, lag: string) => new RegExp(`entries-read\\|${reads}\\|\\$3\\|lag\\|${lag}\\|`)
    expect(send('XINFO GROUPS s')).toMatch(groups(':3', ':1'))
    send('XDEL s 4-1')
    send('XADD s 5-1 f v')
    expect(send('XINFO GROUPS s')).toMatch(groups(':3', '\\$-1'))
    send('XREADGROUP GROUP g c STREAMS s >')
    expect(send('XINFO GROUPS s')).toMatch(groups(':5', ':0'))
    send('XGROUP SETID s g 2-1')
    expect(send('XINFO GROUPS s')).toMatch(groups('\\$-1', '\\$-1'))
  })
})

describe('IDs', () => {
  it('E2 rise when the clock goes back', () => {
    expect(send('XADD s * f v')).toBe('$9|1000000-0|')
    clock.advance(5)
    expect(send('XADD s * f v')).toBe('$9|1000005-0|')
    send('XADD s 2000000-7 f v')
    expect(send('XADD s * f v')).toBe('$9|2000000-8|')
    expect(send('XADD s 2000000-* f v')).toBe('$9|2000000-9|')
    expect(send('XADD s 1-* f v')).toMatch(/^-ERR The ID specified in XADD is equal or smaller/)
  })

  it('E2 are full 64-bit pairs, to the last', () => {
    const last = '18446744073709551615-18446744073709551615'
    expect(send('XADD s 18446744073709551615-18446744073709551614 f v')).toBe(
      '$41|18446744073709551615-18446744073709551614|',
    )
    expect(send('XADD s * f v')).toBe(`$41|${last}|`)
    expect(send('XADD s * f v')).toBe('-ERR The stream has exhausted the last possible ID, unable to add more items|')
    expect(send(`XRANGE s (${last} +`)).toBe('-ERR invalid start ID for the interval|')
  })
})

describe('the same without the wire', () => {
  it('E3 what XTRIM ACKED leaves between what it removes does not count as deleted, also after a restart', async () => {
    for (const id of ['1-1', '2-1', '3-1']) send(`XADD s ${id} f v`)
    send('XGROUP CREATE s g 0')
    send('XREADGROUP GROUP g c STREAMS s >')
    send('XACK s g 1-1 3-1')
    expect(engine.streams.trim('s', { maxLength: 0, references: 'acknowledged' })).toBe(2)
    const before = send('XINFO STREAM s')
    expect(before).toContain('max-deleted-entry-id|$3|0-0|')
    await restart()
    expect(send('XINFO STREAM s')).toBe(before)
  })

  it('E1 an idempotent append answers the entry of the first', () => {
    const { streams } = engine
    const first = streams.append('s', ['f', 'v'], { idempotent: { producer: 'p', id: 'a' } })
    expect(streams.append('s', ['f', 'w'], { idempotent: { producer: 'p', id: 'a' } })).toBe(first)
    expect(send('XADD s IDMP p a * f x')).toContain(first)
    expect(streams.length('s')).toBe(1)
    expect(() => streams.append('s', ['f', 'v'], { id: '9-9', idempotent: { producer: 'p', id: 'a' } })).toThrow(
      'generated',
    )
    expect(() => streams.append('s', ['f', 'v'], { idempotent: { producer: '', id: 'a' } })).toThrow('neither')
  })

  it('E1 deliveries are given back, and entries deleted with a word on references', () => {
    const { streams } = engine
    for (const id of ['1-1', '2-1']) send(`XADD s ${id} f v`)
    streams.createGroup('s', 'g', '0')
    streams.readGroup(['s'], 'g', 'c')
    expect(streams.deleteReferenced('s', ['1-1', '3-1'], 'acknowledged')).toEqual(['referenced', 'referenced'])
    expect(streams.giveBack('s', 'g', ['1-1', '9-9'], 'FAIL')).toBe(1)
    expect(streams.pending('s', 'g', { count: 2 }).map(({ consumer }) => consumer)).toEqual(['', 'c'])
    expect(streams.deleteReferenced('s', ['1-1', '9-9'], 'delete')).toEqual(['deleted', 'missing'])
    expect(streams.pending('s', 'g', { count: 2 })).toHaveLength(1)
    expect(streams.deleteReferenced('none', ['1-1'], 'keep')).toEqual(['missing'])
  })
})
