import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasPostgres, startPostgres } from '../postgres.js'
import { hasRedis, startRedis } from '../servers.js'
import { Chatter, System, temporaryDirectory } from './system.js'

const run = promisify(execFile)

describe('the same command on a real Redis and a real PostgreSQL', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  beforeAll(async () => {
    directory = await temporaryDirectory()
  })
  afterAll(() => directory.remove())

  it('R1 R2: chat, kill -9, restart, history complete; any Redis client reads the log', {
    timeout: 120_000,
  }, async (context) => {
    const missing = [!hasRedis() && 'redis-server', !hasPostgres() && 'PostgreSQL 15'].filter((name) => name !== false)
    if (missing.length > 0) {
      if (process.env.CI) throw new Error(`${missing.join(' and ')} missing: see the packages in tools/boot.mjs`)
      context.skip(`${missing.join(' and ')} not installed`)
    }
    const redis = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always'])
    const postgres = await startPostgres()
    const environment = { YEOUL_URL: redis.url, DATABASE_URL: postgres.url, CHAT_SEND_RATE: '1000' }
    const ada = new Chatter('Ada', 'ops')
    let system = await System.start({ directory: directory.path, environment })
    try {
      await ada.connect(system)
      for (let n = 1; n <= 200; n++) ada.say(`a-${n}`, `점검 ${n}번째`)
      await ada.until(() => ada.acknowledged.size >= 50, 'some are acknowledged')
      await system.kill()
      system = await System.start({ directory: directory.path, environment })
      await ada.connect(system)
      await ada.until(
        () => ada.unacknowledged.size === 0 && ada.contiguous === 200,
        'all 200 are acknowledged and shown',
      )

      const history = await system.history('ops')
      expect(history.map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
      expect(new Set(history.map(({ clientId }) => clientId)).size).toBe(200)
      // What the killed process held reaches the database after its visibility timeout.
      await expect
        .poll(
          async () => {
            const { hits } = await system.json<{ hits: { message: { text: string } }[] }>(
              `/api/search?q=${encodeURIComponent('점검 77')}`,
            )
            return hits.map(({ message }) => message.text)
          },
          { timeout: 40_000 },
        )
        .toEqual(['점검 77번째'])

      const { stdout } = await run('redis-cli', [
        '-p',
        String(redis.port),
        'XRANGE',
        'chat.messages',
        '-',
        '+',
        'COUNT',
        '1',
      ])
      expect(stdout).toContain('data')
      expect(stdout).toContain('점검 1번째')
      expect(await system.stop('SIGTERM'), system.output).toBe(0)
    } finally {
      ada.disconnect()
      await system.kill()
      await postgres.stop()
      await redis.stop()
    }
  })
})
