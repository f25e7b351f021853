/** The stores that the runtime is judged on. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ConnectTarget } from '../../packages/yeoul/src/index.js'
import { peers } from '../resp/peers.js'
import { hasRedis, hasYeoul, installed, startCluster, startRedis, startYeoul } from '../servers.js'

export interface Place {
  target: ConnectTarget
  end(): Promise<void>
}

/** A Redis and a Valkey newer than the system's, where they can be had. */
const newer = peers()
  .filter(({ name }) => name !== 'redis 7.0')
  .map(({ name, program }) => ({
    name,
    available: program !== undefined,
    async start() {
      const server = await startRedis([], { program })
      return { target: server.url, end: () => server.stop() }
    },
  }))

export const places: { name: string; available: boolean; start(): Promise<Place> }[] = [
  {
    name: 'redis-server',
    available: hasRedis(),
    async start() {
      const server = await startRedis()
      return { target: server.url, end: () => server.stop() }
    },
  },
  ...newer,
  {
    name: 'redis cluster of six',
    available: hasRedis() && installed('redis-cli'),
    async start() {
      const cluster = await startCluster(6)
      return { target: { cluster: cluster.addresses.slice(0, 2) }, end: () => cluster.stop() }
    },
  },
  {
    name: 'yeoul serve',
    available: hasYeoul(),
    async start() {
      const server = await startYeoul()
      return { target: server.url, end: () => server.stop() }
    },
  },
  {
    name: 'memory:',
    available: true,
    start: async () => ({ target: 'memory:', end: async () => {} }),
  },
  {
    name: 'file:',
    available: true,
    async start() {
      const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-runtime-'))
      return { target: `file:${directory}`, end: () => rm(directory, { recursive: true }) }
    },
  },
]
