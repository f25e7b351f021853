import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { connectRaw } from './resp-client.mjs'

const yeoulBin = join(dirname(createRequire(import.meta.url).resolve('yeoul/package.json')), 'bin', 'yeoul.js')

/**
 * A server of its own directory and port: `redis` (redis-server) or `yeoul` (`yeoul serve`).
 * `policy`: 'off' (nothing on disk), 'everysec' or 'always'. `directory` keeps one that exists.
 */
export async function startServer(kind, { policy = 'off', directory, nodeArguments = [] } = {}) {
  const port = await freePort()
  const dir = directory ?? mkdtempSync(join(tmpdir(), 'yeoul-bench-'))
  const appendonly = policy === 'off' ? 'no' : 'yes'
  const [file, args] =
    kind === 'redis'
      ? [
          'redis-server',
          ['--port', port, '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', appendonly]
            .concat(policy === 'off' ? [] : ['--appendfsync', policy, '--aof-use-rdb-preamble', 'no'])
            .concat(['--auto-aof-rewrite-percentage', 0, '--maxclients', 15000]),
        ]
      : [
          process.execPath,
          [
            ...nodeArguments,
            yeoulBin,
            'serve',
            '--port',
            port,
            '--dir',
            dir,
            '--appendonly',
            appendonly,
            '--maxclients',
            15000,
          ].concat(policy === 'off' ? [] : ['--appendfsync', policy]),
        ]
  const startedAt = performance.now()
  const child = spawn(file, args.map(String), { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const keep = (chunk) => {
    output = (output + chunk).slice(-4000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  await accepting(port, child, () => output)
  return {
    kind,
    policy,
    port,
    pid: child.pid,
    directory: dir,
    /** ms from the start of the process to the first answer. */
    readyAfter: performance.now() - startedAt,
    async stop({ keepDirectory = false } = {}) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await ended
      clearTimeout(timer)
      if (!keepDirectory && directory === undefined) rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Until a PING is answered with PONG: a server that loads answers -LOADING. */
async function accepting(port, child, output) {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended at once:\n${output()}`)
    try {
      const client = await connectRaw(port)
      const answer = await client.call('PING').finally(() => client.close())
      if (answer === 'PONG') return
    } catch {
      // Not listening yet: asked again until it is, or has ended.
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}
