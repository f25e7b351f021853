/**
 * Starts the real servers that tests run against: on 127.0.0.1, on free ports, in directories of their own, ended by pid.
 * A component that is not installed is a skip with a printed reason; where CI=true it is a failure.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectSocket, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export interface RunningServer {
  readonly port: number
  readonly url: string
  readonly pid: number
  readonly directory: string
  /** SIGSTOP: connections stay open, nothing is answered. */
  freeze(): void
  /** SIGCONT. */
  thaw(): void
  /** SIGKILL, at once; the directory stays. */
  kill(): Promise<void>
  /** Ends it and removes its directory, when it was made here. */
  stop(): Promise<void>
}

/** Whether a program can be run; says so when it cannot, and fails where CI=true. */
export function installed(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    if (process.env.CI === 'true') throw new Error(`${program} is not installed, and CI=true allows no skip`)
    console.log(`skipped: ${program} is not installed`)
    return false
  }
}

export const hasRedis = (): boolean => installed('redis-server')

/** Where the built command is; `npm run build` makes it. */
const command = fileURLToPath(new URL('../packages/yeoul/bin/yeoul.js', import.meta.url))
const built = fileURLToPath(new URL('../packages/yeoul/dist/cli/main.js', import.meta.url))

export function hasYeoul(): boolean {
  if (existsSync(built)) return true
  if (process.env.CI === 'true') throw new Error('yeoul is not built, and CI=true allows no skip: npm run build')
  console.log('skipped: yeoul is not built (npm run build)')
  return false
}

/** A port nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await tryPort(0)
    if (port !== undefined) return port
  }
}

/** A port that is free together with its cluster bus, port + 10000; both below those that the system gives out by itself. */
async function freeClusterPort(): Promise<number> {
  for (;;) {
    const port = await tryPort(12_000 + Math.floor(Math.random() * 8000))
    if (port !== undefined && (await tryPort(port + 10_000)) !== undefined) return port
  }
}

/** Undefined when somebody listens on it. */
async function tryPort(wanted: number): Promise<number | undefined> {
  const probe = createServer()
  const listening = new Promise<boolean>((resolve) => {
    probe.once('listening', () => resolve(true))
    probe.once('error', () => resolve(false))
  })
  probe.listen(wanted, '127.0.0.1')
  if (!(await listening)) return undefined
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}

/** A real redis-server. Arguments come after the defaults: no persistence, quiet. Resolves when it answers PING, so when it has loaded. */
export async function startRedis(
  args: readonly string[] = [],
  options: { directory?: string; program?: string; port?: number } = {},
): Promise<RunningServer> {
  const port = options.port ?? (await freePort())
  const directory = options.directory ?? (await mkdtemp(path.join(tmpdir(), 'yeoul-redis-')))
  const defaults = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    directory,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  const child = spawn(options.program ?? 'redis-server', [...defaults, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  return running(child, port, directory, options.directory === undefined)
}

/** `yeoul serve`, the built command. Arguments come after --port and --dir. */
export async function startYeoul(
  args: readonly string[] = [],
  options: { directory?: string } = {},
): Promise<RunningServer> {
  const port = await freePort()
  const directory = options.directory ?? (await mkdtemp(path.join(tmpdir(), 'yeoul-serve-')))
  const child = spawn(process.execPath, [command, 'serve', '--port', String(port), '--dir', directory, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return running(child, port, directory, options.directory === undefined)
}

export interface RunningCluster {
  readonly nodes: readonly RunningServer[]
  /** host:port of each. */
  readonly addresses: string[]
  stop(): Promise<void>
}

/** A Sentinel that alone decides about one primary, half a second after that falls silent. */
export async function startSentinel(primary: RunningServer): Promise<RunningServer> {
  const port = await freePort()
  const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-sentinel-'))
  const settings = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${directory}`,
    `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 3000',
  ]
  const file = path.join(directory, 'sentinel.conf')
  await writeFile(file, `${settings.join('\n')}\n`)
  const child = spawn('redis-server', [file, '--sentinel'], { stdio: ['ignore', 'pipe', 'pipe'] })
  return running(child, port, directory, true)
}

/** A cluster, every master with as many replicas; needs redis-cli (package redis-tools) as well. */
export async function startCluster(masters = 3, replicas = 0): Promise<RunningCluster> {
  const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-cluster-'))
  const nodes: RunningServer[] = []
  try {
    for (let i = 0; i < masters * (1 + replicas); i++) {
      const port = await freeClusterPort()
      const own = path.join(directory, String(port))
      await mkdir(own)
      const child = spawn(
        'redis-server',
        // biome-ignore format: one option a pair
        ['--port', String(port), '--bind', '127.0.0.1', '--dir', own, '--save', '', '--appendonly', 'no',
          '--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--cluster-node-timeout', '2000'],
        { stdio: ['ignore', 'pipe', 'pipe'] },
      )
      nodes.push(await running(child, port, own, false))
    }
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
    const create = ['--cluster', 'create', ...addresses, '--cluster-replicas', String(replicas), '--cluster-yes']
    execFileSync('redis-cli', create, { stdio: 'pipe' })
    for (const { port } of nodes) {
      await until(async () => (await ask(port, 'CLUSTER INFO\r\n')).includes('cluster_state:ok'), 20_000)
      await until(async () => !(await ask(port, 'INFO replication\r\n')).includes('master_link_status:down'), 20_000)
    }
    return { nodes, addresses, stop: () => stopAll(nodes, directory) }
  } catch (error) {
    await stopAll(nodes, directory)
    throw error
  }
}

async function stopAll(nodes: readonly RunningServer[], directory: string): Promise<void> {
  await Promise.all(nodes.map((node) => node.stop()))
  await rm(directory, { recursive: true, force: true })
}

async function running(
  child: ChildProcess,
  port: number,
  directory: string,
  ownsDirectory: boolean,
): Promise<RunningServer> {
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => (output = (output + text).slice(-4000)))
  }
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  let gone = false
  void exited.then(() => (gone = true))
  // A test process that dies must not leave servers behind.
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  const end = async (signal: NodeJS.Signals) => {
    if (!gone) {
      child.kill(signal)
      if (signal !== 'SIGKILL') child.kill('SIGCONT') // a stopped process takes no other signal
      const late = setTimeout(() => child.kill('SIGKILL'), 5000)
      await exited
      clearTimeout(late)
    }
    process.off('exit', endWithUs)
  }
  try {
    await until(async () => {
      if (gone) throw new Error(`the server ended while starting:\n${output}`)
      return (await ask(port, 'PING\r\n')).startsWith('+PONG')
    }, 20_000)
  } catch (error) {
    await end('SIGKILL')
    if (ownsDirectory) await rm(directory, { recursive: true, force: true })
    throw error
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    pid: child.pid!,
    directory,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    kill: () => end('SIGKILL'),
    stop: async () => {
      await end('SIGTERM')
      if (ownsDirectory) await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Sends one inline command; the first bytes of the answer, '' when there is none. */
function ask(port: number, line: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, '127.0.0.1')
    socket.setEncoding('utf8')
    socket.setTimeout(1000, () => socket.destroy())
    let answer = ''
    socket.once('connect', () => socket.write(line))
    socket.once('data', (data) => {
      answer = String(data)
      socket.destroy()
    })
    socket.once('error', () => {})
    socket.once('close', () => resolve(answer))
  })
}

async function until(condition: () => Promise<boolean>, milliseconds: number): Promise<void> {
  const deadline = Date.now() + milliseconds
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not ready after ${milliseconds} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
