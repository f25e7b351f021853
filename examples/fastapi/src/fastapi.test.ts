import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Running } from '../../../conformance/processes.js'

const yeoul = fileURLToPath(new URL('../../../packages/yeoul/bin/yeoul.js', import.meta.url))
const worker = fileURLToPath(new URL('../dist/worker.js', import.meta.url))
const folder = fileURLToPath(new URL('..', import.meta.url))
/** Debian's own Python, whose packages FastAPI and redis-py are. */
const python = '/usr/bin/python3'
const installed =
  existsSync('/usr/lib/python3/dist-packages/fastapi') && existsSync('/usr/lib/python3/dist-packages/redis')

describe('examples/fastapi: redis-py’s asyncio producer and consumer with a yeoul worker', () => {
  let server: Running
  let url: string
  beforeAll(async () => {
    server = Running.start(process.execPath, [yeoul, 'serve', '--port', '0', '--appendonly', 'no'])
    url = `redis://127.0.0.1:${(await server.printed(/ready .*?127\.0\.0\.1:(\d+)/))[1]}`
  })
  afterAll(() => server.end())

  it('R19: Python’s notation reaches the worker as text, and the answer reaches the Python consumer', async (context) => {
    if (!installed) {
      if (process.env.CI)
        throw new Error('FastAPI is missing: apt-get install python3-fastapi python3-redis python3-uvicorn')
      context.skip('FastAPI is not installed')
    }
    const api = Running.start(
      python,
      ['-m', 'uvicorn', 'app:app', '--host', '127.0.0.1', '--port', '0'],
      { REDIS_URL: url, PYTHONUNBUFFERED: '1' },
      folder,
    )
    const address = (await api.printed(/running on (http:\S+)/))[1]
    const node = Running.start(process.execPath, [worker], { REDIS_URL: url })
    await node.printed(/worker ready/)

    const response = await fetch(`${address}/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user: '김', ok: true, none: null }),
    })
    const { id } = (await response.json()) as { id: string }
    await node.printed(new RegExp(`answered ${id}`))

    const replies = async () => (await (await fetch(`${address}/replies`)).json()) as { data: string }[]
    await expect
      .poll(async () => (await replies()).map(({ data }) => data))
      .toEqual(["received {'user': '김', 'ok': True, 'none': None}"])
    expect(await node.end()).toBe(0)
    await api.end()
  })
})
