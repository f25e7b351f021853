/**
 * R13, R14: another server takes the primary's place, or a slot moves to another node, while a producer and two workers run. A yeoul
 * store is given one address; in front of servers under Sentinel it is one that follows the primary (a proxy, a name, a service).
 */
import { execFileSync } from 'node:child_process'
import { expect as always, describe, it } from 'vitest'
import { hasRedis, installed, type RunningServer, startCluster, startRedis, startSentinel } from '../servers.js'
import { Ledger, pause } from './ledger.js'
import { type Observed, observe, record, tableFile } from './observation.js'
import { FaultProxy } from './proxy.js'

const cli = (port: number, ...args: string[]) =>
  execFileSync('redis-cli', ['-p', String(port), ...args], { encoding: 'utf8' }).trim()

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(20)
}

const inTurn = tableFile === undefined ? it.concurrent : it

describe.skipIf(!hasRedis() || !installed('redis-cli'))('faults of several servers', () => {
  interface Pair {
    primary: RunningServer
    replica: RunningServer
    sentinel: RunningServer
    /** Leads to what Sentinel calls the primary. */
    proxy: FaultProxy
  }

  /** Resolves when Sentinel names another primary and that one takes writes; the address follows. */
  async function switched({ primary, replica, sentinel, proxy }: Pair): Promise<void> {
    await until(() => !cli(sentinel.port, 'sentinel', 'get-master-addr-by-name', 'main').includes(String(primary.port)))
    await until(() => cli(replica.port, 'role').startsWith('master'))
    proxy.switchTo(replica.port)
  }

  const switches: (Observed & { name: string; begin(pair: Pair): Promise<void> })[] = [
    {
      name: 'Sentinel: primary killed, replica promoted',
      lasts: 0,
      red: true,
      loses: 'recent',
      begin: ({ primary }) => primary.kill(),
    },
    {
      name: 'Sentinel: switch asked for, the old primary stays as replica',
      lasts: 0,
      loses: 'recent',
      begin: async ({ sentinel }) => {
        await until(() => cli(sentinel.port, 'sentinel', 'failover', 'main') === 'OK')
      },
    },
  ]

  inTurn.for(switches)('R13 R14 $name', { timeout: 120_000 }, async (fault, { expect }) => {
    const servers: RunningServer[] = []
    let proxy: FaultProxy | undefined
    try {
      const primary = await startRedis()
      servers.push(primary)
      const replica = await startRedis(['--replicaof', `127.0.0.1 ${primary.port}`])
      servers.push(replica)
      await until(() => cli(replica.port, 'info', 'replication').includes('master_link_status:up'))
      const sentinel = await startSentinel(primary)
      servers.push(sentinel)
      await until(() => cli(sentinel.port, 'sentinel', 'replicas', 'main').includes(String(replica.port)))
      proxy = await FaultProxy.start(primary.port)
      const pair = { primary, replica, sentinel, proxy }
      const ledger = await Ledger.start(proxy.url, 'jobs')
      try {
        const measured = await observe(
          fault,
          ledger,
          async () => {
            await fault.begin(pair)
            return () => switched(pair)
          },
          expect,
        )
        await record(fault.name, measured)
      } finally {
        await ledger.close()
      }
    } finally {
      await proxy?.close()
      for (const server of servers) await server.stop()
    }
  })

  inTurn('R13 R14 cluster: a node lost, its replica promoted', { timeout: 120_000 }, async ({ expect }) => {
    const cluster = await startCluster(3, 1)
    try {
      const ledger = await Ledger.start({ cluster: cluster.addresses }, 'jobs')
      try {
        const survivors = () => cluster.nodes.filter((node) => node !== owner)
        const owner = ownerOf(cluster.nodes, 'jobs')
        const measured = await observe(
          { lasts: 0, red: true, loses: 'recent' },
          ledger,
          async () => {
            await owner.kill()
            return () =>
              until(() =>
                survivors().every(
                  ({ port }) =>
                    cli(port, 'cluster', 'info').includes('cluster_state:ok') && masterOf(port, 'jobs') !== owner.port,
                ),
              )
          },
          expect,
        )
        await record('cluster: node lost, its replica promoted', measured)
      } finally {
        await ledger.close()
      }
    } finally {
      await cluster.stop()
    }
  })

  inTurn('R13 cluster: the slot moves to another node, key by key', { timeout: 120_000 }, async ({ expect }) => {
    const cluster = await startCluster(3)
    try {
      const ledger = await Ledger.start({ cluster: cluster.addresses }, 'jobs')
      try {
        const from = ownerOf(cluster.nodes, 'jobs')
        const to = cluster.nodes.find((node) => node !== from)!
        const slot = cli(from.port, 'cluster', 'keyslot', 'jobs')
        const [fromId, toId] = [from, to].map(({ port }) => cli(port, 'cluster', 'myid'))
        const measured = await observe(
          { lasts: 300 },
          ledger,
          async () => {
            cli(to.port, 'cluster', 'setslot', slot, 'importing', fromId)
            cli(from.port, 'cluster', 'setslot', slot, 'migrating', toId)
            for (;;) {
              const keys = cli(from.port, 'cluster', 'getkeysinslot', slot, '1').split('\n').filter(Boolean)
              if (keys.length === 0) break
              cli(from.port, 'migrate', '127.0.0.1', String(to.port), '', '0', '5000', 'keys', ...keys)
            }
            return () => {
              for (const { port } of [to, from, ...cluster.nodes]) cli(port, 'cluster', 'setslot', slot, 'node', toId)
            }
          },
          expect,
        )
        always(masterOf(from.port, 'jobs')).toBe(to.port)
        await record('cluster: slot moved to another node', measured)
      } finally {
        await ledger.close()
      }
    } finally {
      await cluster.stop()
    }
  })
})

/** The port of the node that serves a key's slot, as the node at `port` sees it; 0 = nobody. */
function masterOf(port: number, key: string): number {
  const slot = Number(cli(port, 'cluster', 'keyslot', key))
  for (const line of cli(port, 'cluster', 'nodes').split('\n')) {
    const [, address, flags, , , , , ...slots] = line.split(' ')
    if (!flags.includes('master') || flags.includes('fail')) continue
    const serves = slots.some((range) => {
      const [first, last = first] = range.split('-').map(Number)
      return slot >= first && slot <= last
    })
    if (serves) return Number(/:(\d+)@/.exec(address)![1])
  }
  return 0
}

function ownerOf(nodes: readonly RunningServer[], key: string): RunningServer {
  const port = masterOf(nodes[0].port, key)
  return nodes.find((node) => node.port === port)!
}
