import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Chatter, freePort, System, temporaryDirectory } from './system.js'

const main = fileURLToPath(new URL('../../apps/chat/dist/server/main.js', import.meta.url))

/** Runs the start command until it ends by itself. */
async function refused(
  directory: string,
  environment: Record<string, string>,
): Promise<{ code: number | null; errors: string }> {
  const child = spawn(process.execPath, [main], {
    cwd: directory,
    env: {
      ...process.env,
      YEOUL_URL: '',
      DATABASE_URL: '',
      YEOUL_DIR: join(directory, '.yeoul'),
      PORT: '0',
      RESP_PORT: '0',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [code] = await once(child, 'close')
  return { code, errors: errors.trim() }
}

describe('npm start', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  beforeAll(async () => {
    directory = await temporaryDirectory()
  })
  afterAll(() => directory.remove())

  it('Ctrl-C drains and exits 0; a second start resumes with everything that was there', {
    timeout: 180_000,
  }, async () => {
    const first = await System.start({ directory: directory.path })
    const user = new Chatter('Ada', 'lobby')
    await user.connect(first)
    user.say('a-1', 'before the restart')
    await user.until(() => user.acknowledged.has('a-1'), 'it is acknowledged')
    expect(await first.stop('SIGINT')).toBe(0)

    const second = await System.start({ directory: directory.path })
    try {
      expect(await second.history('lobby')).toMatchObject([
        { seq: 1, text: 'before the restart', user: 'Ada', clientId: 'a-1' },
      ])
      expect(second.output).toContain(`http://127.0.0.1:${second.port}`)
      expect(second.output).toContain(String(second.respPort))
    } finally {
      expect(await second.stop('SIGTERM'), second.output).toBe(0)
    }
  })

  describe('says in one sentence what is in its way, and exits 1', () => {
    it('busy port', async () => {
      const squatter = createServer().listen(0, '127.0.0.1')
      await once(squatter, 'listening')
      const { port } = squatter.address() as { port: number }
      const { code, errors } = await refused(directory.path, { PORT: String(port) })
      squatter.close()
      expect({ code, lines: errors.split('\n').length }, errors).toEqual({ code: 1, lines: 1 })
      expect(errors).toContain(String(port))
    })

    it('E8 locked directory', { timeout: 120_000 }, async () => {
      const place = join(directory.path, 'locked')
      await mkdir(place)
      const owner = await System.start({ directory: place })
      const { code, errors } = await refused(place, {
        PORT: String(await freePort()),
        RESP_PORT: String(await freePort()),
      })
      await owner.stop()
      expect({ code, lines: errors.split('\n').length }, errors).toEqual({ code: 1, lines: 1 })
      expect(errors).toContain(String(owner.child.pid))
    })

    it('unwritable directory', async () => {
      // Permissions do not bind root; a parent that is no directory refuses everybody.
      const { code, errors } = await refused(directory.path, { YEOUL_DIR: '/dev/null/yeoul' })
      expect({ code, lines: errors.split('\n').length }, errors).toEqual({ code: 1, lines: 1 })
      expect(errors).toContain('/dev/null/yeoul')
    })

    it.each([
      ['a scheme nobody knows', { YEOUL_URL: 'amqp://127.0.0.1' }, 'amqp'],
      ['a server that is not there', { YEOUL_URL: 'redis://127.0.0.1:1' }, '127.0.0.1:1'],
    ])('wrong YEOUL_URL: %s', { timeout: 60_000 }, async (_, environment, word) => {
      const { code, errors } = await refused(directory.path, { ...environment, PORT: String(await freePort()) })
      expect({ code, lines: errors.split('\n').length }, errors).toEqual({ code: 1, lines: 1 })
      expect(errors).toContain(word)
    })

    it.each([
      ['no PostgreSQL URL', { DATABASE_URL: 'mysql://127.0.0.1/x' }, 'DATABASE_URL'],
      ['a server that is not there', { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/x' }, '127.0.0.1:1'],
    ])('wrong DATABASE_URL: %s', { timeout: 60_000 }, async (_, environment, word) => {
      const { code, errors } = await refused(directory.path, {
        ...environment,
        PORT: String(await freePort()),
        RESP_PORT: String(await freePort()),
      })
      expect({ code, lines: errors.split('\n').length }, errors).toEqual({ code: 1, lines: 1 })
      expect(errors).toContain(word)
    })
  })
})
