/**
 * R13, R14: faults of the network and of the server while a producer and two workers run, every number accounted for. After each:
 * handling again within five seconds of the fault's end, health red meanwhile and green after, nothing lost that the server
 * kept, few duplicates, nothing left behind. YEOUL_FAULT_TABLE=file appends what was measured as rows of a Markdown table.
 */
import { execFileSync, spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConnectTarget } from '../../packages/yeoul/src/stores/open.js'
import { freePort, hasRedis, installed, type RunningServer, startRedis } from '../servers.js'
import { Ledger, pause } from './ledger.js'
import { type Observed, observe, record, tableFile } from './observation.js'
import { FaultProxy } from './proxy.js'

interface Scene {
  server: RunningServer
  proxy: FaultProxy
  cli(...args: string[]): string
  /** Ended with the scene. */
  others: RunningServer[]
}

interface Fault extends Observed {
  name: string
  args?: string[]
  target?(scene: Scene): ConnectTarget
  /** Begins the fault; answers what ends it. */
  begin(scene: Scene): Promise<() => unknown> | (() => unknown)
}

const logged = ['--appendonly', 'yes', '--appendfsync', 'always']

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
    args: logged,
    lasts: 500,
    red: true,
    begin: async (scene) => {
      await scene.server.kill()
      return () => restart(scene, logged)
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
    name: 'roles swapped, connections kept (a name leads elsewhere)',
    lasts: 0,
    loses: 'recent',
    felt: /READONLY/,
    begin: async (scene) => {
      const old = scene.server
      const replica = await startRedis(['--replicaof', `127.0.0.1 ${old.port}`])
      scene.others.push(replica)
      const ask = (port: number, ...args: string[]) =>
        execFileSync('redis-cli', ['-p', String(port), ...args], { encoding: 'utf8' })
      while (!ask(replica.port, 'info', 'replication').includes('master_link_status:up')) await pause(20)
      scene.proxy.nameAnother(replica.port)
      ask(replica.port, 'replicaof', 'no', 'one')
      ask(old.port, 'replicaof', '127.0.0.1', String(replica.port))
      scene.server = replica
      return () => {}
    },
  },
  {
    name: 'LOADING (restarted, reading its log for seconds)',
    args: logged,
    felt: /LOADING/,
    lasts: 500,
    red: true,
    begin: async (scene) => {
      const { cli, server } = scene
      cli('eval', "for i = 1, 1500 do redis.call('SET', 'filler:' .. i, i) end", '0')
      cli('bgrewriteaof')
      while (cli('info', 'persistence').includes('aof_rewrite_in_progress:1')) await pause(20)
      await server.kill()
      // A millisecond for each of the keys, and clients are answered in between.
      const slowly = ['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024']
      const loaded = startRedis([...logged, ...slowly], { directory: server.directory, port: server.port })
      return async () => {
        scene.server = await loaded
        scene.others.push(scene.server)
      }
    },
  },
  {
    name: 'eviction of every key (maxmemory, allkeys-lru)',
    felt: /OOM/,
    lasts: 1_500,
    loses: 'everything',
    begin: ({ cli }) => {
      cli('config', 'set', 'maxmemory-policy', 'allkeys-lru', 'maxmemory', '1')
      return () => cli('config', 'set', 'maxmemory', '0')
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
    felt: /READONLY/,
    lasts: 1_500,
    red: true,
    begin: async ({ cli }) => {
      cli('replicaof', '127.0.0.1', String(await freePort()))
      return () => cli('replicaof', 'no', 'one')
    },
  },
  {
    name: 'OOM (maxmemory, noeviction)',
    felt: /OOM/,
    lasts: 1_500,
    begin: ({ cli }) => {
      cli('config', 'set', 'maxmemory', '1')
      return () => cli('config', 'set', 'maxmemory', '0')
    },
  },
  {
    name: 'BUSY (a script that does not end)',
    args: ['--busy-reply-threshold', '100'],
    felt: /BUSY/,
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

/** Measured one by one; otherwise several at a time. */
const inTurn = tableFile === undefined ? it.concurrent : it

describe.skipIf(!hasRedis() || !installed('redis-cli'))('faults', () => {
  let sockets = 0

  beforeAll(() => {
    sockets = activeSockets()
  })

  afterAll(async () => {
    for (let look = 0; look < 100 && activeSockets() !== sockets; look++) await pause(50)
    expect(activeSockets()).toBe(sockets)
  })

  inTurn.for(faults)('R13 R14 $name', { timeout: 120_000 }, async (fault, { expect }) => {
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
        await record(fault.name, await observe(fault, ledger, () => fault.begin(scene), expect))
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

function activeSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'TCPServerWrap').length
}
