import { describe, expect, test } from 'vitest'
import { StoreError } from '../../../packages/yeoul/src/runtime/store.js'
import type { Bench } from '../bench.js'

export function connection(bench: Bench): void {
  describe('facts', () => {
    test('R22 the server is probed at open: what it is, how durable, what is unsafe', () => {
      expect(bench.facts).toMatchObject(bench.under.expected)
      expect(bench.facts.version).toMatch(/^\d+\.\d+/)
      for (const warning of bench.facts.warnings) expect(warning).toMatch(/\.$/)
    })

    test('the address carries no credentials', () => {
      expect(bench.store.address).not.toMatch(/@/)
    })

    test('ping answers', async () => {
      await bench.store.ping()
    })
  })

  describe('channels', () => {
    test('messages reach subscribers of the channel and of patterns, as bytes, in order', async () => {
      const second = await bench.another()
      const channel = `channel-${bench.fresh()}`
      const heard: [string, string, string][] = []
      const bytes = Buffer.from([0, 255, 13, 10])
      let finish: (() => void) | undefined
      const done = new Promise<void>((resolve) => (finish = resolve))
      const listen = (who: string) => (message: Buffer, from: string) => {
        heard.push([who, from, message.toString('latin1')])
        if (heard.length === 6) finish?.()
      }
      const subscriptions = await Promise.all([
        bench.store.channels.subscribe({ channels: [channel] }, listen('exact')),
        bench.store.channels.subscribe({ patterns: [`${channel.slice(0, -1)}*`] }, listen('pattern')),
      ])
      for (const message of ['one', 'two', bytes]) {
        expect(await second.channels.publish(channel, message)).toBeGreaterThanOrEqual(
          bench.under.features.slots ? 0 : 1,
        )
      }
      await done
      for (const who of ['exact', 'pattern']) {
        expect(heard.filter(([name]) => name === who).map(([, , text]) => text)).toEqual([
          'one',
          'two',
          bytes.toString('latin1'),
        ])
      }
      expect(heard.every(([, from]) => from === channel)).toBe(true)
      for (const subscription of subscriptions) await subscription.close()
      expect(await second.channels.publish(channel, 'nobody')).toBe(0)
    })

    test('two subscribers of one channel; the one that leaves hears nothing more', async () => {
      const channel = `channel-${bench.fresh()}`
      const heard: string[] = []
      let reached: (() => void) | undefined
      const listen = (who: string) => (message: Buffer) => {
        heard.push(`${who} ${message}`)
        if (String(message) === 'end') reached?.()
      }
      const [a] = await Promise.all([
        bench.store.channels.subscribe({ channels: [channel] }, listen('a')),
        bench.store.channels.subscribe({ channels: [channel] }, listen('b')),
      ])
      await a.close()
      await a.close()
      const end = new Promise<void>((resolve) => (reached = resolve))
      await bench.store.channels.publish(channel, 'end')
      await end
      expect(heard).toEqual(['b end'])
    })

    test('a channel without subscribers reaches nobody', async () => {
      expect(await bench.store.channels.publish(`channel-${bench.fresh()}`, 'x')).toBe(0)
    })
  })

  describe('close', () => {
    test('close ends waiting reads with nothing, lets calls under way finish, and may be called twice', async () => {
      const one = await bench.under.make()
      await one.open()
      const stream = bench.fresh()
      await one.ensureGroup(stream, 'g', '$')
      const waiting = one.read(new Map([[stream, '$']]), { block: 60_000 })
      const waitingGroup = one.readGroup([stream, bench.fresh()].slice(0, 1), 'g', 'c', { count: 1, block: 60_000 })
      const appends = Promise.all(Array.from({ length: 200 }, (_, i) => one.append(stream + 'x', ['n', String(i)])))
      await Promise.all([one.close(), one.close()])
      expect(await waiting).toEqual([])
      expect(await waitingGroup).toEqual([])
      expect(await appends).toHaveLength(200)
      await one.close()
      await expect(one.append(stream, ['a', '1'])).rejects.toMatchObject({ code: 'CLOSED', outcome: 'none' })
      await expect(one.readGroup([stream], 'g', 'c', { count: 1, block: 10 })).rejects.toBeInstanceOf(StoreError)
      await expect(one.channels.subscribe({ channels: ['c'] }, () => {})).rejects.toMatchObject({ code: 'CLOSED' })
    })
  })
}
