/** Starts a real PostgreSQL for tests: on 127.0.0.1, on a free port, in a directory of its own, ended by its own pg_ctl. */
import { execFile, execFileSync } from 'node:child_process'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './servers.js'

const run = promisify(execFile)
/** Where Debian's packages put them; not in PATH there. */
const DEBIAN = '/usr/lib/postgresql/15/bin'

export interface RunningPostgres {
  readonly port: number
  readonly url: string
  /** As `pg_ctl -m immediate`: connections break, nothing is written out. */
  kill(): Promise<void>
  /** Starts it again on the same port and directory. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Whether PostgreSQL can be started here; says so when it cannot, and fails where CI=true. */
export function hasPostgres(): boolean {
  try {
    execFileSync(path.join(DEBIAN, 'postgres'), ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    if (process.env.CI === 'true') throw new Error('postgresql-15 is not installed, and CI=true allows no skip')
    console.log('skipped: postgresql-15 is not installed')
    return false
  }
}

export async function startPostgres(): Promise<RunningPostgres> {
  const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-postgres-'))
  const asRoot = process.getuid?.() === 0
  if (asRoot) {
    // PostgreSQL refuses to run as root: Debian's own user does.
    const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout)
    await chown(directory, await id('-u'), await id('-g'))
    await chmod(directory, 0o755)
  }
  const postgres = (program: string, ...args: string[]) => {
    const file = path.join(DEBIAN, program)
    return asRoot
      ? run('runuser', ['-u', 'postgres', '--', file, ...args], { cwd: directory })
      : run(file, args, { cwd: directory })
  }
  const data = path.join(directory, 'data')
  const port = await freePort()
  const options = `-c listen_addresses=127.0.0.1 -p ${port} -c unix_socket_directories=${directory}`
  const start = async () => {
    await postgres('pg_ctl', '-D', data, '-w', '-l', path.join(directory, 'log'), '-o', options, 'start')
  }
  await postgres('initdb', '-D', data, '-U', 'yeoul', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '-N')
  await start()
  let running = true
  const end = async (mode: string) => {
    if (!running) return
    running = false
    await postgres('pg_ctl', '-D', data, '-m', mode, '-w', 'stop')
  }
  return {
    port,
    url: `postgres://yeoul@127.0.0.1:${port}/postgres`,
    kill: () => end('immediate'),
    async restart() {
      await start()
      running = true
    },
    async stop() {
      await end('fast')
      await rm(directory, { recursive: true, force: true })
    },
  }
}
