import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChatMessage } from '../protocol.js'
import { type Arrival, Delivery } from './delivery.js'

function message(seq: number): ChatMessage {
  return { room: 'r', seq, id: `${seq}-0`, clientId: `c${seq}`, user: 'u', text: `t${seq}`, at: seq, stored: false }
}

function arrival(seq: number): Arrival {
  return { message: message(seq), frame: Buffer.from(JSON.stringify({ type: 'message', message: message(seq) })) }
}

function setUp(fill: (from: number, to: number) => Promise<ChatMessage[]>) {
  const seen: number[] = []
  let gaps = 0
  const delivery = new Delivery(fill, {
    deliver: (arrived) => seen.push(arrived.message.seq),
    gapDetected: () => gaps++,
    gapFilled: () => undefined,
    failed: () => undefined,
  })
  return { delivery, seen, gaps: () => gaps }
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('delivery of a room', () => {
  it('hints in any order, lost or twice, are handed on in order, each once', async () => {
    const hints = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 120 })
    await fc.assert(
      fc.asyncProperty(hints, fc.integer({ min: 0, max: 5 }), fc.scheduler(), async (order, begun, scheduler) => {
        const fill = scheduler.scheduleFunction(async (from: number, to: number) => range(from, to).map(message))
        const { delivery, seen } = setUp(fill)
        // Some come before the position is known.
        const early = order.slice(0, begun)
        for (const seq of early) delivery.offer(arrival(seq))
        delivery.begin(begun)
        for (const seq of order.slice(begun)) {
          scheduler.schedule(Promise.resolve()).then(() => delivery.offer(arrival(seq)))
        }
        await scheduler.waitAll()
        delivery.reach(40)
        await scheduler.waitFor(delivery.settled())
        expect(seen).toEqual(range(begun + 1, 40))
        expect(delivery.delivered).toBe(40)
      }),
    )
  })

  it('asks for the hole only, and keeps what came after it', async () => {
    const asked: [number, number][] = []
    const { delivery, seen, gaps } = setUp(async (from, to) => {
      asked.push([from, to])
      return range(from, to).map(message)
    })
    delivery.begin(3)
    for (const seq of [4, 8, 9]) delivery.offer(arrival(seq))
    await delivery.settled()
    expect(seen).toEqual([4, 5, 6, 7, 8, 9])
    expect(asked).toEqual([[5, 7]])
    expect(gaps()).toBe(1)
  })

  it('passes over numbers that have no message any more', async () => {
    const { delivery, seen } = setUp(async (from, to) =>
      range(from, to)
        .filter((seq) => seq !== 2)
        .map(message),
    )
    delivery.begin(0)
    delivery.offer(arrival(4))
    await delivery.settled()
    expect(seen).toEqual([1, 3, 4])
  })

  it('tries again when history could not be read', async () => {
    let broken = true
    const { delivery, seen } = setUp(async (from, to) => {
      if (broken) throw new Error('down')
      return range(from, to).map(message)
    })
    delivery.begin(0)
    delivery.offer(arrival(2))
    await delivery.settled()
    expect(seen).toEqual([])
    broken = false
    delivery.reach(2)
    await delivery.settled()
    expect(seen).toEqual([1, 2])
  })

  it('has the last messages at hand, whole or not at all', () => {
    const { delivery } = setUp(async () => [])
    delivery.begin(0)
    for (const seq of range(1, 300)) delivery.offer(arrival(seq))
    expect(delivery.recent(299, 300)?.map(({ message }) => message.seq)).toEqual([299, 300])
    expect(delivery.recent(1, 300)).toBeUndefined()
  })
})
