import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { History, HistoryUnavailable, type ReadableLog } from './history.js'
import { Later } from './later.js'
import type { ChatMessage } from './protocol.js'

function message(seq: number, room = 'r'): ChatMessage {
  return { room, seq, id: `${seq}-0`, clientId: `c${seq}`, user: 'u', text: 't', at: seq, stored: false }
}

/** A log that tells how many entries were read. */
function logOf(messages: readonly ChatMessage[]) {
  const read = { entries: 0 }
  const log: ReadableLog = {
    async *newestFirst(until) {
      for (const entry of [...messages].reverse()) {
        if (entry.id === until) return
        read.entries++
        yield entry
      }
    },
  }
  return { log, read }
}

const never = new Later<never>(new Promise(() => undefined))
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('history without a database', () => {
  it('is what the log has, each number once, ascending, whatever the other rooms do', async () => {
    const rooms = fc.array(fc.constantFrom('r', 's', 't'), { maxLength: 200 })
    await fc.assert(
      fc.asyncProperty(rooms, fc.nat(100), fc.nat(60), async (order, from, length) => {
        const tops = new Map<string, number>()
        const messages = order.map((room, index) => {
          const seq = (tops.get(room) ?? 0) + 1
          tops.set(room, seq)
          return { ...message(seq, room), id: `${index + 1}-0` }
        })
        const first = Math.max(1, from)
        const last = Math.min(tops.get('r') ?? 0, first + length)
        const found = await new History(logOf(messages).log, never).between('r', first, last)
        expect(found.map(({ seq }) => seq)).toEqual(range(first, last))
        expect(found.every(({ room }) => room === 'r')).toBe(true)
      }),
    )
  })

  it('reads the log from its end, and no further than it must', async () => {
    const { log, read } = logOf(range(1, 1_000).map((seq) => message(seq)))
    await new History(log, never).between('r', 991, 1_000)
    expect(read.entries).toBe(10)
  })

  it('says so when what is missing may be in a database that cannot be opened', async () => {
    const broken = new Later<never>(Promise.reject(new Error('gone')))
    const { log } = logOf([message(5)])
    await expect(new History(log, broken).between('r', 4, 5)).rejects.toBeInstanceOf(HistoryUnavailable)
    expect(await new History(log, broken).between('r', 5, 5)).toEqual([message(5)])
  })
})
