/**
 * R13, R14: faults of the network and of the server while a producer and two workers run, every number accounted for. After each:
 * handling again within five seconds of the fault's end, health red meanwhile and green after, nothing lost that the server
 * kept, few duplicates, nothing left behind. YEOUL_FAULT_TABLE=file writes what was measured as a Markdown table.
 */
import { execFileSync, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, type ExpectStatic, expect, it } from 'vitest'
import type { ConnectTarget } from '../../packages/yeoul/src/stores/open.js'
import { freePort, hasRedis, installed, type RunningServer, startRedis } from '../servers.js'
import { Ledger, pause } from './ledger.js'
import { FaultProxy } from './proxy.js'

interface Scene {
  server: RunningServer
  proxy: FaultProxy
  cli(...args: string[]): string
  /** Ended with the scene. */
  others: RunningServer[]
}

interface Fault {
  name: string
  args?: string[]
  target?(scene: Scene): ConnectTarget
  /** Begins the fault; answers what ends it. */
  begin(scene: Scene): Promise<() => unknown> | (() => unknown)
  /** ms it lasts. */
  lasts: number
  /** ms of calm before it: what is not checkpointed by then is handled again when the group is lost. */
  warm?: number
  /** The workers cannot read meanwhile, and their health must say so (checked when the fault lasts long enough to be noticed). */
  red?: boolean
  /** The server itself loses data (entries, or where the group was). */
  loses?: 'everything' | 'group' | 'recent'
}

const faults: Fault[] = [
  {
    name: 'connections reset',
    lasts: 0,
    begin: ({ proxy }) => {
      proxy.reset()
      return () => {}
    },
  },
  {
    name: 'connections refused',
    lasts: 1_500,
    red: true,
    begin: ({ proxy }) => {
      proxy.refuse()
      return () => proxy.heal()
    },
  },
  {
    name: 'half-open connections',
    lasts: 500,
    begin: ({ proxy }) => {
      proxy.halfOpen()
      return () => proxy.heal()
    },
  },
  {
    name: 'bandwidth of 200 bytes/s',
    lasts: 1_500,
    begin: ({ proxy }) => {
      proxy.slow(200)
      return () => proxy.heal()
    },
  },
  {
    name: 'every packet 200 ms late',
    lasts: 1_500,
    begin: ({ proxy }) => {
      proxy.late(200)
      return () => proxy.heal()
    },
  },
  {
    name: 'server frozen (SIGSTOP)',
    lasts: 4_500,
    red: true,
    begin: ({ server }) => {
      server.freeze()
      return () => server.thaw()
    },
  },
  {
    name: 'server killed, restarted with its log (always)',
    args: ['--appendonly', 'yes', '--appendfsync', 'always'],
    lasts: 500,
    red: true,
    begin: async (scene) => {
      await scene.server.kill()
      return () => restart(scene, ['--appendonly', 'yes', '--appendfsync', 'always'])
    },
  },
  {
    name: 'server killed, restarted empty',
    lasts: 500,
    red: true,
    loses: 'everything',
    begin: async (scene) => {
      await scene.server.kill()
      return () => restart(scene, [])
    },
  },
  {
    name: 'failover to a replica that lags',
    lasts: 300,
    loses: 'recent',
    begin: async (scene) => {
      const replica = await startRedis(['--replicaof', `127.0.0.1 ${scene.server.port}`])
      scene.others.push(replica)
      const info = () =>
        execFileSync('redis-cli', ['-p', String(replica.port), 'info', 'replication'], { encoding: 'utf8' })
      while (!info().includes('master_link_status:up')) await pause(20)
      execFileSync('redis-cli', ['-p', String(replica.port), 'replicaof', 'no', 'one'])
      await pause(300) // what the primary takes now, the replica never sees
      await scene.server.kill()
      scene.server = replica
      return () => scene.proxy.switchTo(replica.port)
    },
  },
  {
    name: 'FLUSHALL',
    lasts: 0,
    loses: 'everything',
    begin: ({ cli }) => {
      cli('flushall')
      return () => {}
    },
  },
  {
    name: 'DEL of the stream',
    lasts: 0,
    loses: 'everything',
    begin: ({ cli }) => {
      cli('del', 'jobs')
      return () => {}
    },
  },
  {
    name: 'XGROUP DESTROY',
    lasts: 0,
    loses: 'group',
    warm: 3_000,
    begin: ({ cli }) => {
      cli('xgroup', 'destroy', 'jobs', 'g')
      return () => {}
    },
  },
  {
    name: 'CLIENT KILL',
    lasts: 0,
    begin: ({ cli }) => {
      cli('client', 'kill', 'type', 'normal')
      return () => {}
    },
  },
  {
    name: 'FUNCTION FLUSH',
    lasts: 0,
    begin: ({ cli }) => {
      cli('function', 'flush')
      return () => {}
    },
  },
  {
    name: 'SCRIPT FLUSH',
    lasts: 0,
    target: ({ proxy }) => ({ url: proxy.url, functions: false }),
    begin: ({ cli }) => {
      cli('script', 'flush')
      return () => {}
    },
  },
  {
    name: 'READONLY (made a replica of nobody)',
    lasts: 1_500,
    red: true,
    begin: async ({ cli }) => {
      cli('replicaof', '127.0.0.1', String(await freePort()))
      return () => cli('replicaof', 'no', 'one')
    },
  },
  {
    name: 'OOM (maxmemory, noeviction)',
    lasts: 1_500,
    begin: ({ cli }) => {
      cli('config', 'set', 'maxmemory', '1')
      return () => cli('config', 'set', 'maxmemory', '0')
    },
  },
  {
    name: 'BUSY (a script that does not end)',
    args: ['--busy-reply-threshold', '100'],
    lasts: 1_500,
    begin: async ({ server, cli }) => {
      const child = spawn('redis-cli', ['-p', String(server.port), 'eval', 'while true do end', '0'], {
        stdio: 'ignore',
      })
      return () => {
        cli('script', 'kill')
        child.kill()
      }
    },
  },
]

async function restart(scene: Scene, args: string[]): Promise<void> {
  scene.server = await startRedis(args, { directory: scene.server.directory })
  scene.others.push(scene.server)
  scene.proxy.switchTo(scene.server.port)
}

/** The promise, on a machine that does nothing else; on a busy one only what is stuck fails. */
const LIMIT = process.env.YEOUL_FAULT_TABLE ? 5_000 : 15_000

/** Measured one by one; otherwise several at a time. */
const inTurn = process.env.YEOUL_FAULT_TABLE ? it : it.concurrent

const rows: string[] = []

describe.skipIf(!hasRedis() || !installed('redis-cli'))('faults', () => {
  let sockets = 0

  beforeAll(() => {
    sockets = activeSockets()
  })

  afterAll(async () => {
    for (let look = 0; look < 100 && activeSockets() !== sockets; look++) await pause(50)
    expect(activeSockets()).toBe(sockets)
    const table = [
      '| fault | lasted | handling again after its end | health red | duplicates | lost by the server |',
      '|---|--:|--:|---|--:|--:|',
      ...rows,
    ].join('\n')
    if (process.env.YEOUL_FAULT_TABLE) await writeFile(process.env.YEOUL_FAULT_TABLE, `${table}\n`)
  })

  inTurn.for(faults)('R13 R14 $name', async (fault, { expect }) => {
    const first = await startRedis(fault.args)
    const proxy = await FaultProxy.start(first.port)
    const scene: Scene = {
      server: first,
      proxy,
      others: [],
      cli: (...args) => execFileSync('redis-cli', ['-p', String(scene.server.port), ...args], { encoding: 'utf8' }),
    }
    try {
      const ledger = await Ledger.start(fault.target?.(scene) ?? proxy.url, 'jobs')
      try {
        await run(fault, scene, ledger, expect)
      } finally {
        await ledger.close()
      }
      expect(scene.cli('xinfo', 'consumers', 'jobs', 'g').trim()).toBe('')
      await expect.poll(() => proxy.connections, { timeout: 5_000 }).toBe(0)
    } finally {
      for (const server of scene.others) await server.stop()
      await first.stop()
      await proxy.close()
    }
  })
})

async function run(fault: Fault, scene: Scene, ledger: Ledger, expect: ExpectStatic): Promise<void> {
  await ledger.until(() => ledger.handled.size >= 100)
  await pause(fault.warm ?? 0)
  const held = ledger.held
  const before = ledger.handled.size
  let wasRed = false
  const watch = setInterval(() => (wasRed ||= !ledger.healthy), 5)
  const end = await fault.begin(scene)
  const begun = performance.now()
  await pause(fault.lasts)
  const lasted = performance.now() - begun
  await end()
  const ended = performance.now()
  const publishedAfter = ledger.upNext + 1
  await ledger.until(() => [...ledger.handled.keys()].some((n) => n >= publishedAfter))
  const resumed = performance.now() - ended
  await expect.poll(() => ledger.healthy, { timeout: 10_000, interval: 5 }).toBe(true)
  const green = performance.now() - ended
  clearInterval(watch)
  await ledger.stopPublishing()

  // Nothing that the server kept is lost or skipped: all of it is handled.
  const entries: number[] = []
  for await (const message of ledger.topic.read()) entries.push(message.value.n)
  const kept = new Set(entries)
  const owed = () =>
    ledger.unhandled().filter((n) => fault.loses === undefined || fault.loses === 'group' || kept.has(n))
  await expect.poll(owed, { timeout: 10_000 }).toEqual([])
  await expect
    .poll(async () => (await ledger.producer.inspector.group('jobs', 'g'))?.pending, { timeout: 10_000 })
    .toBe(0)
  const audit = (await ledger.producer.verify('jobs')).groups[0]
  expect(audit.counts).toMatchObject({ missing: 0, expired: 0, waiting: 0, pending: 0, dead: 0 })

  const lost = [...ledger.accepted.keys()].filter((n) => !kept.has(n)).length
  if (fault.loses === undefined) {
    expect(lost).toBe(0)
    // Each number is one entry: a publish whose answer was lost is not in the log twice.
    expect(entries.length).toBe(kept.size)
    expect(ledger.duplicates).toBeLessThanOrEqual(held + 16)
  }
  if (fault.loses === 'group') expect(ledger.duplicates).toBeLessThan(before)
  rows.push(
    `| ${fault.name} | ${Math.round(lasted)} ms | ${Math.round(resumed)} ms | ${wasRed ? `yes, green after ${Math.round(green)} ms` : 'no'} | ${ledger.duplicates} | ${lost} |`,
  )
  expect(resumed).toBeLessThan(LIMIT)
  expect(green).toBeLessThan(LIMIT)
  if (fault.red) expect(wasRed).toBe(true)
}

function activeSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'TCPServerWrap').length
}
