import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StreamStore } from '../../packages/yeoul/src/runtime/store.js'
import { openStore } from '../../packages/yeoul/src/stores/open.js'
import { hasRedis, installed, type RunningCluster, startCluster } from '../servers.js'
import { storeSuite } from './suite.js'

describe.skipIf(!hasRedis() || !installed('redis-cli'))('redis cluster', () => {
  storeSuite(async () => {
    const cluster = await startCluster()
    return {
      make: () => openStore({ cluster: cluster.addresses.slice(0, 1) }),
      expected: { kind: 'redis', cluster: true },
      features: { slots: true },
      stop: () => cluster.stop(),
    }
  }, 'three masters')

  describe('several nodes', () => {
    let cluster: RunningCluster
    let store: StreamStore

    beforeAll(async () => {
      cluster = await startCluster()
      // The URL of one node is enough: it says that it is a cluster.
      store = openStore({ url: `redis://${cluster.addresses[1]}`, deadline: 500, grace: 300 })
      expect(await store.open()).toMatchObject({ cluster: true })
    })

    afterAll(async () => {
      for (const node of cluster?.nodes ?? []) node.thaw()
      await store?.close()
      await cluster?.stop()
    })

    test('R8 one blocking group read over streams of many slots: woken by any, loses none', async () => {
      const streams = Array.from({ length: 6 }, (_, i) => `wide:{${i}}`)
      for (const stream of streams) await store.ensureGroup(stream, 'g', '0')
      const seen = new Set<string>()
      for (const [i, stream] of streams.entries()) {
        const waiting = store.readGroup(streams, 'g', 'c', { count: 10, block: 20_000 })
        await store.append(stream, ['n', String(i)])
        for (const { entries } of await waiting) for (const { fields } of entries) seen.add(String(fields[1]))
      }
      const rest = await store.readGroup(streams, 'g', 'c', { count: 10 })
      for (const { entries } of rest) for (const { fields } of entries) seen.add(String(fields[1]))
      expect([...seen].sort()).toEqual(['0', '1', '2', '3', '4', '5'])
    })

    test('R13 one frozen node: its calls reject by the deadline, the others go on, and it is used again when back', async () => {
      cluster.nodes[0].freeze()
      const results = await Promise.allSettled(
        Array.from({ length: 30 }, (_, i) => store.append(`spread-${i}`, ['n', '1'])),
      )
      const failed = results.filter((result) => result.status === 'rejected')
      const went = results.filter((result) => result.status === 'fulfilled')
      expect(went.length).toBeGreaterThan(0)
      expect(failed.length).toBeGreaterThan(0)
      for (const { reason } of failed) expect(reason).toMatchObject({ outcome: 'unknown', retriable: true })
      // The first one past its deadline takes the connection down; calls sent a moment later go with it.
      expect(failed.map(({ reason }) => reason.code)).toContain('DEADLINE')
      cluster.nodes[0].thaw()
      for (let i = 0; i < 30; ) {
        // The cluster may call itself down for a moment while the node's absence is noticed.
        await store.append(`spread-${i}`, ['n', '2']).then(
          () => i++,
          (error: { retriable: boolean }) => {
            if (!error.retriable) throw error
            return new Promise((resolve) => setTimeout(resolve, 20))
          },
        )
      }
    })
  })
})
