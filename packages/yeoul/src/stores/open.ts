import path from 'node:path'
import { Engine } from '../engine/engine.js'
import { YEOUL_VERSION } from '../engine/version.js'
import { StoreError, type StreamStore } from '../runtime/store.js'
import { EmbeddedStore } from './embedded.js'
import { type RedisOptions, RedisStore, type RedisTarget } from './redis.js'

/**
 * Where a store is:
 *
 *     memory:                                           the engine in this process, gone with it
 *     file:./dir                                        the engine in this process, on disk in that directory
 *     { engine }                                        an engine of one's own, which stays open when the store is closed
 *     redis://[user:password@]host[:6379][/database]    Redis, Valkey or a yeoul server (valkey:// is the same)
 *     rediss://…                                        the same over TLS (valkeys://)
 *     { cluster: ['host:port', …] }                     a cluster, by some of its nodes
 */
export type ConnectTarget =
  | string
  | ({ url: string } & RedisOptions)
  | { engine: Engine }
  | ({ cluster: readonly string[]; username?: string; password?: string; tls?: boolean } & RedisOptions)

/** Makes the store; `open()` connects. Throws StoreError REFUSED for an address it cannot understand. */
export function openStore(target: ConnectTarget): StreamStore {
  if (typeof target === 'string') return fromUrl(target, {})
  if ('engine' in target) {
    const { directory } = target.engine
    return new EmbeddedStore(directory === undefined ? 'memory:' : `file:${directory}`, target.engine, YEOUL_VERSION)
  }
  if ('cluster' in target) return fromCluster(target)
  return fromUrl(target.url, target)
}

function fromUrl(address: string, options: RedisOptions): StreamStore {
  const scheme = /^([a-z]+):/.exec(address)?.[1] ?? ''
  switch (scheme) {
    case 'memory':
      return new EmbeddedStore('memory:', () => Engine.open(), YEOUL_VERSION)
    case 'file': {
      const directory = directoryOf(address)
      return new EmbeddedStore(`file:${directory}`, () => Engine.open({ directory }), YEOUL_VERSION)
    }
    case 'redis':
    case 'rediss':
    case 'valkey':
    case 'valkeys':
      return new RedisStore(parseUrl(address, scheme === 'rediss' || scheme === 'valkeys'), options)
    default:
      throw new StoreError(
        'REFUSED',
        `cannot tell what store "${withoutPassword(address)}" is; expected memory:, file:./dir, redis://host:port, rediss://… or valkey://…`,
        'none',
      )
  }
}

/** `file:./dir`, `file:dir`, `file:/dir`, `file:///dir`: relative to the working directory unless it begins with a slash. */
function directoryOf(address: string): string {
  const directory = decodeURIComponent(address.slice('file:'.length).replace(/^\/\/(?=\/)/, ''))
  if (directory === '' || directory.startsWith('//')) {
    throw new StoreError('REFUSED', `"${address}" names no directory; expected file:./dir or file:///dir`, 'none')
  }
  return path.normalize(directory)
}

function parseUrl(address: string, tls: boolean): RedisTarget {
  let url: URL
  try {
    url = new URL(address)
  } catch {
    throw new StoreError(
      'REFUSED',
      `"${withoutPassword(address)}" is no URL; expected redis://[user:password@]host[:port][/database]`,
      'none',
    )
  }
  const database = url.pathname.length > 1 ? Number(url.pathname.slice(1)) : 0
  if (!Number.isInteger(database) || database < 0) {
    throw new StoreError('REFUSED', `database "${url.pathname.slice(1)}" of ${url.host} is no number`, 'none')
  }
  return {
    // Node resolves localhost to ::1 first, where servers rarely listen.
    nodes: [{ host: hostOf(url.hostname), port: Number(url.port || 6379) }],
    cluster: false,
    tls,
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
    database,
  }
}

function fromCluster(
  target: { cluster: readonly string[]; username?: string; password?: string; tls?: boolean } & RedisOptions,
): StreamStore {
  if (target.cluster.length === 0) {
    throw new StoreError('REFUSED', 'a cluster needs at least one node, as "host:port"', 'none')
  }
  const nodes = target.cluster.map((node) => {
    const url = parseUrl(node.includes('://') ? node : `redis://${node}`, false)
    return url.nodes[0]
  })
  return new RedisStore(
    { nodes, cluster: true, tls: target.tls, username: target.username, password: target.password },
    target,
  )
}

function hostOf(hostname: string): string {
  if (hostname === '' || hostname === 'localhost') return '127.0.0.1'
  return hostname.replace(/^\[(.*)\]$/, '$1')
}

function withoutPassword(address: string): string {
  return address.replace(/\/\/[^/@]*@/, '//')
}
