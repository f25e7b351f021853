import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Served, startServed } from './served.js'

describe.each([2, 3] as const)('node-redis 6, RESP%d', (RESP) => {
  let served: Served
  const open = () => {
    const client = createClient({ url: `redis://127.0.0.1:${served.port}`, RESP })
    client.on('error', () => {})
    return client.connect()
  }

  beforeAll(async () => {
    served = await startServed()
  })
  afterAll(() => served.stop())

  test('E1 does the log by hand', async () => {
    const [client, other] = [await open(), await open()]
    try {
      const trim = { strategy: 'MAXLEN', strategyModifier: '~', threshold: 1000 } as const
      const id = await client.xAdd('mystream', '*', { user: 'kim', text: '안녕' }, { TRIM: trim })
      const range = await client.xRange('mystream', '-', '+')
      expect(range).toHaveLength(1)
      expect({ ...range![0]!.message }).toEqual({ user: 'kim', text: '안녕' })

      const waiting = other.xRead({ key: 'mystream', id: '$' }, { BLOCK: 0 })
      while (served.engine.blocked.count === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      const second = await client.xAdd('mystream', '*', { text: 'second' })
      const read = (await waiting) as { name: string; messages: { id: string }[] }[]
      expect(read[0].messages[0].id).toBe(second)

      await client.xGroupCreate('mystream', 'mygroup', '0')
      await expect(client.xGroupCreate('mystream', 'mygroup', '0')).rejects.toThrow('BUSYGROUP')
      const batch = (await client.xReadGroup(
        'mygroup',
        'worker-1',
        { key: 'mystream', id: '>' },
        { COUNT: 10, BLOCK: 5000 },
      )) as {
        messages: { id: string }[]
      }[]
      expect(batch[0].messages.map((message) => message.id)).toEqual([id, second])
      expect((await client.xPending('mystream', 'mygroup')).pending).toBe(2)
      const claimed = await client.xClaim('mystream', 'mygroup', 'worker-2', 0, id)
      expect(claimed![0]!.id).toBe(id)
      expect(await client.xAck('mystream', 'mygroup', [id, second])).toBe(2)
      const info = await client.xInfoGroups('mystream')
      expect(info[0]).toMatchObject({ name: 'mygroup', consumers: 2, pending: 0, lag: 0 })
      const replies = await client.multi().xAdd('mystream', '*', { a: '1' }).xLen('mystream').exec()
      expect(replies[1]).toBe(3)
    } finally {
      client.destroy()
      other.destroy()
    }
  })

  test('E1 a thousand commands in flight are answered in order', async () => {
    const client = await open()
    try {
      const ids = await Promise.all(
        Array.from({ length: 1000 }, (_, i) => client.xAdd('flight', `${i + 1}-0`, { n: String(i) })),
      )
      expect(ids).toEqual(Array.from({ length: 1000 }, (_, i) => `${i + 1}-0`))
    } finally {
      client.destroy()
    }
  })

  test('E1 publishes and subscribes', async () => {
    const [client, subscriber] = [await open(), await open()]
    try {
      const heard = new Promise<string[]>((resolve) => {
        const got: string[] = []
        const take = (message: string, channel: string) => {
          got.push(`${channel}=${message}`)
          if (got.length === 2) resolve(got)
        }
        void subscriber
          .subscribe('room:1', take)
          .then(() => subscriber.pSubscribe('room:*', take))
          .then(() => client.publish('room:1', '안녕'))
      })
      expect(await heard).toEqual(['room:1=안녕', 'room:1=안녕'])
    } finally {
      client.destroy()
      subscriber.destroy()
    }
  })
})
