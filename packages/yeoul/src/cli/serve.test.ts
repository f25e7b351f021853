import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasYeoul } from '../../../../conformance/servers.js'

const command = fileURLToPath(new URL('../../bin/yeoul.js', import.meta.url))

class Serving {
  stdout = ''
  stderr = ''
  readonly child: ChildProcess
  readonly exited: Promise<number | null>

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [command, 'serve', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stdout!.on('data', (text) => {
      this.stdout += text
      this.child.emit('output')
    })
    this.child.stderr!.on('data', (text) => {
      this.stderr += text
    })
    this.exited = once(this.child, 'close').then(([code]) => {
      this.child.emit('output')
      return code as number | null
    })
  }

  /** The first line it prints. */
  async line(): Promise<string> {
    while (!this.stdout.includes('\n')) {
      if (this.child.exitCode !== null) throw new Error(this.stderr)
      await once(this.child, 'output', { signal: AbortSignal.timeout(15_000) })
    }
    return this.stdout.slice(0, this.stdout.indexOf('\n'))
  }

  /** The port, once the line `ready …` was printed. */
  async ready(): Promise<number> {
    return Number(/^ready rediss?:\/\/127\.0\.0\.1:(\d+) /.exec(await this.line())![1])
  }
}

async function ask(port: number, line: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  socket.end(`${line}\r\n`)
  let answer = ''
  for await (const chunk of socket) answer += chunk
  return answer
}

describe.skipIf(!hasYeoul())('yeoul serve', () => {
  let directory: string
  const running: Serving[] = []
  const serve = (...args: string[]) => {
    const serving = new Serving(['--port', '0', '--dir', directory, ...args])
    running.push(serving)
    return serving
  }

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'yeoul-serve-'))
  })
  afterEach(async () => {
    for (const serving of running.splice(0)) {
      if (serving.child.exitCode === null) serving.child.kill('SIGKILL')
      await serving.exited
    }
    await rm(directory, { recursive: true, force: true })
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('E3 keeps what it acknowledged over %s, and exits 0', async (signal) => {
    const first = serve()
    expect(await ask(await first.ready(), 'XADD s 1-1 f v')).toBe('$3\r\n1-1\r\n')
    first.child.kill(signal)
    expect(await first.exited).toBe(0)
    expect(first.stdout.trimEnd().split('\n')).toHaveLength(1)
    expect(await ask(await serve().ready(), 'XLEN s')).toBe(':1\r\n')
  })

  test('E3 keeps what it acknowledged over kill -9', async () => {
    const first = serve()
    expect(await ask(await first.ready(), 'XADD s 1-1 f v')).toBe('$3\r\n1-1\r\n')
    first.child.kill('SIGKILL')
    await first.exited
    expect(await ask(await serve().ready(), 'XLEN s')).toBe(':1\r\n')
  })

  test('ends on SHUTDOWN', async () => {
    const serving = serve('--appendonly', 'no')
    await ask(await serving.ready(), 'SHUTDOWN NOSAVE')
    expect(await serving.exited).toBe(0)
  })

  test('takes a password and limits', async () => {
    const port = await serve('--requirepass', 'secret', '--maxmemory', '1gb', '--maxclients', '5').ready()
    expect(await ask(port, 'PING')).toBe('-NOAUTH Authentication required.\r\n')
    expect(await ask(port, 'AUTH secret\r\nCONFIG GET max*')).toContain('$9\r\nmaxmemory\r\n$10\r\n1073741824\r\n')
  })

  test('a busy port is one sentence and exit 1', async () => {
    const other = net.createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const serving = serve('--port', String(port))
    expect(await serving.exited).toBe(1)
    expect(serving.stderr).toBe(`Port ${port} of 127.0.0.1 is in use by another process; choose another with --port.\n`)
    other.close()
  })

  test('E8 a directory in use is one sentence that names the owner, and exit 1', async () => {
    const first = serve()
    await first.ready()
    const second = serve()
    expect(await second.exited).toBe(1)
    expect(second.stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(second.stderr).toContain(String(first.child.pid))
    expect(second.stderr).toContain(directory)
  })

  test('--json prints the ready line as one object', async () => {
    const serving = serve('--json')
    expect(JSON.parse(await serving.line())).toMatchObject({ ready: true, directory, appendfsync: 'always' })
  })

  test('a directory that cannot be used is one sentence and exit 1', async () => {
    const file = path.join(directory, 'file')
    await writeFile(file, '')
    const serving = new Serving(['--port', '0', '--dir', file])
    running.push(serving)
    expect(await serving.exited).toBe(1)
    expect(serving.stderr).toBe(`${file} is not a directory; choose another with --dir.\n`)
  })

  test('a directory without rights is one sentence and exit 1', async (context) => {
    context.skip(process.getuid?.() === 0, 'permissions do not bind root')
    await chmod(directory, 0o500)
    const serving = serve()
    expect(await serving.exited).toBe(1)
    expect(serving.stderr).toBe(
      `The directory ${directory} cannot be written by this user; choose another with --dir.\n`,
    )
  })

  test.each([
    [['--port', '70000'], '--port is a number from 0 to 65535'],
    [['--appendfsync', 'sometimes'], '--appendfsync is always, everysec or no'],
    [['--tls-cert-file', 'cert.pem'], 'TLS needs both'],
  ])('a wrong option is told: %j', async (args, sentence) => {
    const serving = serve(...args)
    expect(await serving.exited).toBe(2)
    expect(serving.stderr).toContain(sentence)
  })
})
