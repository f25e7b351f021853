import { afterEach, describe, expect, it } from 'vitest'
import { Engine } from './engine.js'
import { ManualClock } from './io/manual-clock.js'
import { Request } from './resp/request.js'
import type { Session } from './session.js'

let engine: Engine
let clock: ManualClock

async function open(): Promise<void> {
  clock = new ManualClock()
  engine = await Engine.open({ clock })
}

afterEach(() => engine.close())

class Client {
  readonly session: Session
  constructor() {
    this.session = engine.createSession()
  }

  send(...words: (string | number)[]): string {
    engine.execute(this.session, Request.of(...words))
    return this.take()
  }

  /** What has been answered since the last look. */
  take(): string {
    return this.session.output.take().toString('latin1').replaceAll('\r\n', '|')
  }
}

const read = (consumer: string, ...rest: (string | number)[]) =>
  ['XREADGROUP', 'GROUP', 'g', consumer, 'COUNT', 1, 'BLOCK', 0, ...rest, 'STREAMS', 's', '>'] as const

const entry = (id: string) => `*1|*2|$1|s|*1|*2|$3|${id}|*2|$1|f|$1|v|`

describe('waiting readers', () => {
  it('E11 of one group are served first come first served, one entry each', async () => {
    await open()
    const writer = new Client()
    writer.send('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM')
    const readers = ['a', 'b', 'c'].map((name) => {
      const client = new Client()
      expect(client.send(...read(name))).toBe('')
      return client
    })
    writer.send('XADD', 's', '1-1', 'f', 'v')
    expect(readers.map((each) => each.take())).toEqual([entry('1-1'), '', ''])
    writer.send('XADD', 's', '2-1', 'f', 'v')
    writer.send('XADD', 's', '3-1', 'f', 'v')
    expect(readers.map((each) => each.take())).toEqual(['', entry('2-1'), entry('3-1')])
    expect(engine.blocked.count).toBe(0)
  })

  it('E11 without a group are all served', async () => {
    await open()
    const readers = [new Client(), new Client()]
    for (const each of readers) expect(each.send('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$')).toBe('')
    new Client().send('XADD', 's', '1-1', 'f', 'v')
    expect(readers.map((each) => each.take())).toEqual([entry('1-1'), entry('1-1')])
  })

  it('E11 ten thousand of them cost one timer', async () => {
    await open()
    const writer = new Client()
    writer.send('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM')
    const readers = Array.from({ length: 10_000 }, (_, i) => {
      const client = new Client()
      client.send('XREADGROUP', 'GROUP', 'g', `c${i}`, 'BLOCK', 1000 + (i % 7), 'STREAMS', 's', '>')
      return client
    })
    expect(engine.blocked.count).toBe(10_000)
    clock.advance(999)
    expect(engine.blocked.count).toBe(10_000)
    clock.advance(1)
    expect(readers.filter((each) => each.take() === '*-1|')).toHaveLength(Math.ceil(10_000 / 7))
    clock.advance(6)
    expect(engine.blocked.count).toBe(0)
    expect(clock.nextTimer).toBeUndefined()
  })

  it('E11 get nil at their deadline, which waking for nothing does not move', async () => {
    await open()
    const writer = new Client()
    writer.send('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM')
    const reader = new Client()
    reader.send('XREADGROUP', 'GROUP', 'g', 'a', 'BLOCK', 100, 'STREAMS', 's', '>')
    clock.advance(60)
    writer.send('MULTI')
    writer.send('XADD', 's', '1-1', 'f', 'v')
    writer.send('XDEL', 's', '1-1')
    writer.send('EXEC')
    expect(reader.take()).toBe('')
    clock.advance(39)
    expect(reader.take()).toBe('')
    clock.advance(1)
    expect(reader.take()).toBe('*-1|')
    expect(reader.session.parked).toBeUndefined()
  })

  it('wake after EXEC, with everything the transaction added', async () => {
    await open()
    const reader = new Client()
    reader.send('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$')
    const writer = new Client()
    writer.send('MULTI')
    writer.send('XADD', 's', '1-1', 'f', 'v')
    writer.send('XADD', 's', '2-1', 'f', 'v')
    expect(reader.take()).toBe('')
    writer.send('EXEC')
    expect(reader.take()).toBe('*1|*2|$1|s|*2|*2|$3|1-1|*2|$1|f|$1|v|*2|$3|2-1|*2|$1|f|$1|v|')
  })

  it.each([
    ['the group is destroyed', ['XGROUP', 'DESTROY', 's', 'g'], /^-NOGROUP No such key 's' or consumer group 'g'/],
    ['the key is deleted', ['DEL', 's'], /^-NOGROUP/],
    ['the key is renamed', ['RENAME', 's', 'other'], /^-NOGROUP/],
    ['the type changes', ['SET', 's', 'x'], /^-WRONGTYPE/],
    ['all keys go', ['FLUSHALL'], /^-NOGROUP/],
    ['databases are swapped', ['SWAPDB', '0', '1'], /^-NOGROUP/],
  ])('of a group are told when %s; those without a group wait on', async (_, command, told) => {
    await open()
    const writer = new Client()
    writer.send('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM')
    const grouped = new Client()
    grouped.send(...read('a'))
    const plain = new Client()
    plain.send('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$')
    writer.send(...command)
    expect(grouped.take()).toMatch(told)
    expect(plain.take()).toBe('')
    writer.send('DEL', 's')
    writer.send('XADD', 's', '1-1', 'f', 'v')
    expect(plain.take()).toBe(entry('1-1'))
  })

  it('expire with their key', async () => {
    await open()
    const writer = new Client()
    writer.send('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM')
    writer.send('PEXPIRE', 's', 500)
    const reader = new Client()
    reader.send(...read('a'))
    clock.advance(600)
    expect(reader.take()).toMatch(/^-NOGROUP/)
  })

  it('are ended by CLIENT UNBLOCK, as if their time were over or with an error', async () => {
    await open()
    const [first, second, other] = [new Client(), new Client(), new Client()]
    for (const each of [first, second]) each.send('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$')
    expect(other.send('CLIENT', 'UNBLOCK', first.session.id)).toBe(':1|')
    expect(first.take()).toBe('*-1|')
    expect(other.send('CLIENT', 'UNBLOCK', second.session.id, 'ERROR')).toBe(':1|')
    expect(second.take()).toBe('-UNBLOCKED client unblocked via CLIENT UNBLOCK|')
    expect(other.send('CLIENT', 'UNBLOCK', second.session.id)).toBe(':0|')
  })

  it('do not wait inside a transaction', async () => {
    await open()
    const client = new Client()
    client.send('MULTI')
    client.send('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$')
    expect(client.send('EXEC')).toBe('*1|*-1|')
  })

  it('leave with their session', async () => {
    await open()
    const reader = new Client()
    reader.send('XREAD', 'BLOCK', 1000, 'STREAMS', 's', 't', '$', '$')
    engine.closeSession(reader.session)
    expect(engine.blocked.count).toBe(0)
    new Client().send('XADD', 's', '1-1', 'f', 'v')
    expect(reader.take()).toBe('')
  })

  it('that claim wake when the oldest delivery has been idle long enough', async () => {
    await open()
    const writer = new Client()
    writer.send('XADD', 's', '1-1', 'f', 'v')
    writer.send('XGROUP', 'CREATE', 's', 'g', '0')
    new Client().send(...read('a'))
    const reader = new Client()
    expect(reader.send(...read('b', 'CLAIM', 1000))).toBe('')
    clock.advance(999)
    expect(reader.take()).toBe('')
    clock.advance(1)
    expect(reader.take()).toBe('*1|*2|$1|s|*1|*4|$3|1-1|*2|$1|f|$1|v|:1000|:1|')
  })

  it('of this process share the queues with those of connections', async () => {
    await open()
    engine.streams.createGroup('s', 'g', '$', { makeStream: true })
    const first = engine.streams.waitReadGroup(['s'], 'g', 'in-process', { count: 1, block: Number.POSITIVE_INFINITY })
    const second = new Client()
    second.send(...read('a'))
    engine.streams.append('s', ['f', 'v'], { id: '1-1' })
    engine.streams.append('s', ['f', 'v'], { id: '2-1' })
    const [{ entries }] = await first
    expect(entries.map((each) => [each.id, each.fields.map(String), each.deliveries])).toEqual([['1-1', ['f', 'v'], 1]])
    expect(second.take()).toBe(entry('2-1'))
  })

  it('of this process end by signal and by deadline', async () => {
    await open()
    const abort = new AbortController()
    const aborted = engine.streams.waitRead(new Map([['s', '$']]), { block: 5000, signal: abort.signal })
    const late = engine.streams.waitRead(new Map([['s', '$']]), { block: 5000 })
    abort.abort()
    expect(await aborted).toEqual([])
    clock.advance(5000)
    expect(await late).toEqual([])
    expect(engine.blocked.count).toBe(0)
  })
})
