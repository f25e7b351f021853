import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Served, startServed } from './served.js'

describe('ioredis 6', () => {
  let served: Served
  const open = () => new Redis({ host: '127.0.0.1', port: served.port })

  beforeAll(async () => {
    served = await startServed()
  })
  afterAll(() => served.stop())

  test('E1 does the log by hand', async () => {
    const [client, other] = [open(), open()]
    try {
      const id = (await client.xadd('mystream', 'MAXLEN', '~', 1000, '*', 'user', 'kim', 'text', '안녕')) as string
      expect(await client.xrange('mystream', '-', '+')).toEqual([[id, ['user', 'kim', 'text', '안녕']]])
      const waiting = other.xread('BLOCK', 0, 'STREAMS', 'mystream', '$')
      while (served.engine.blocked.count === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      const second = (await client.xadd('mystream', '*', 'text', 'second')) as string
      expect(JSON.stringify(await waiting)).toContain(second)
      await client.xgroup('CREATE', 'mystream', 'mygroup', '0')
      const batch = await client.xreadgroup(
        'GROUP',
        'mygroup',
        'worker-1',
        'COUNT',
        10,
        'BLOCK',
        0,
        'STREAMS',
        'mystream',
        '>',
      )
      expect(JSON.stringify(batch)).toContain('안녕')
      expect((await client.xpending('mystream', 'mygroup'))[0]).toBe(2)
      expect(await client.xclaim('mystream', 'mygroup', 'worker-2', 0, id)).toHaveLength(1)
      expect(await client.xack('mystream', 'mygroup', id, second)).toBe(2)
      expect(await client.multi().set('k', 'v').get('k').exec()).toEqual([
        [null, 'OK'],
        [null, 'v'],
      ])
    } finally {
      client.disconnect()
      other.disconnect()
    }
  })

  test('E1 publishes and subscribes, binary-safe', async () => {
    const [client, subscriber] = [open(), open()]
    try {
      await subscriber.psubscribe('room:*')
      const heard = new Promise<Buffer>((resolve) =>
        subscriber.once('pmessageBuffer', (_, __, message) => resolve(message)),
      )
      const payload = Buffer.from([0, 255, 13, 10, 128])
      expect(await client.publish('room:1', payload)).toBe(1)
      expect((await heard).equals(payload)).toBe(true)
    } finally {
      client.disconnect()
      subscriber.disconnect()
    }
  })
})
