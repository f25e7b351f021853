import { fileURLToPath } from 'node:url'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Running } from '../../../conformance/processes.js'

const yeoul = fileURLToPath(new URL('../../../packages/yeoul/bin/yeoul.js', import.meta.url))
const program = (name: string) => fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url))

describe('examples/express: the field’s node-redis producer and a yeoul worker', () => {
  let server: Running
  let url: string
  beforeAll(async () => {
    server = Running.start(process.execPath, [yeoul, 'serve', '--port', '0', '--appendonly', 'no'])
    url = `redis://127.0.0.1:${(await server.printed(/ready .*?127\.0\.0\.1:(\d+)/))[1]}`
  })
  afterAll(() => server.end())

  it('R19 R1: a message posted before the first worker starts is handled; a poisoned one is retried and put aside', async () => {
    const producer = Running.start(process.execPath, [program('producer')], { REDIS_URL: url, PORT: '0' })
    const address = (await producer.printed(/producer on (http:\S+)/))[1]
    const post = async (body: unknown) => {
      const response = await fetch(`${address}/publish`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      return { status: response.status, body: (await response.json()) as { id: string } }
    }
    const early = await post({ user: 'kim', text: '안녕' })
    expect(early.status).toBe(200)
    expect(early.body.id).toMatch(/^\d+-\d+$/)

    const worker = Running.start(process.execPath, [program('worker')], { REDIS_URL: url })
    await worker.printed(/worker ready/)
    expect((await worker.printed(/handled (\S+) (.*) attempt 1/)).slice(1)).toEqual([
      early.body.id,
      '{"user":"kim","text":"안녕"}',
    ])

    const poison = await post({ text: 'from nobody' })
    await worker.printed(new RegExp(`put aside ${poison.body.id}: exhausted`))

    // What the hand-written loop would leave behind: nothing is pending, and the letter is in a stream any client reads.
    const redis = createClient({ url })
    await redis.connect()
    expect(await redis.xPending('user-stream', 'user-group')).toMatchObject({ pending: 0 })
    expect(await redis.xLen('yeoul:{user-stream}:dead:user-group')).toBe(1)
    redis.destroy()

    expect(await worker.end()).toBe(0)
    await producer.end()
  })
})
