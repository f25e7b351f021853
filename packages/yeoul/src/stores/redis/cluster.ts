import { createCluster } from 'redis'
import type { StoreEvent } from '../../runtime/store.js'
import type { Argument, Reply } from '../functions/step.js'
import {
  asBytes,
  asText,
  type ClientOptions,
  clientSettings,
  connectClient,
  newClient,
  type RawClient,
} from './client.js'
import { broken, closed, isReply, late, refused } from './errors.js'
import { slotOf } from './hash-slot.js'
import type { Link, Sending } from './link.js'

/** What is used of node-redis' cluster client: slots, redirections and the layout are its work. */
interface RawCluster {
  connect(): Promise<unknown>
  destroy(): void
  on(event: string, listener: (...args: never[]) => void): unknown
  sendCommand(key: string | undefined, readOnly: boolean, args: readonly Argument[], options: object): Promise<unknown>
  getNodeClientForKey(key: string, readOnly: boolean): Promise<NodeClient>
  readonly masters: ClusterNode[]
  /** By slot number. */
  readonly slots: { master: ClusterNode }[]
  readonly nodeByAddress: Map<string, ClusterNode>
  nodeClient(node: ClusterNode): Promise<NodeClient>
}

interface NodeClient extends RawClient {
  readonly options: { socket?: { host?: string; port?: number } }
}

interface ClusterNode {
  address: string
  host: string
  port: number
  client?: NodeClient
  connectPromise?: Promise<NodeClient>
}

/**
 * A cluster: one connection per master. Calls wait in one queue ordered by time, so one timer serves all deadlines: past
 * it a call rejects, and the connection of its node is destroyed and made anew by the next call.
 */
export class ClusterLink implements Link {
  readonly cluster = true
  private connected: RawCluster | undefined
  private readonly calls = new Set<Waiting>()
  /** When a node's connection was thrown away last. */
  private readonly renewed = new WeakMap<ClusterNode, number>()
  private timer: NodeJS.Timeout | undefined
  private isClosed = false
  private onIdle: (() => void) | undefined

  constructor(
    readonly address: string,
    private readonly roots: readonly { host: string; port: number }[],
    private readonly options: ClientOptions,
    private readonly onEvent: (event: StoreEvent) => void,
  ) {}

  async open(): Promise<void> {
    const { tls, username, password, name, deadline } = this.options
    const cluster = createCluster({
      rootNodes: this.roots.map(({ host, port }) => ({ socket: { host, port } })),
      ...clientSettings,
      minimizeConnections: true, // a node that cannot be reached must not keep the others from being used
      defaults: {
        ...clientSettings,
        username,
        password,
        name,
        socket: {
          ...(tls ? { tls: true as const } : {}),
          connectTimeout: deadline,
          reconnectStrategy: (retries: number) =>
            Math.min(2000, 50 * 2 ** Math.min(retries, 10)) * (0.5 + Math.random() / 2),
        } as never,
      },
    }) as unknown as RawCluster
    let failure: Error | undefined
    cluster.on('error', (error: Error) => {
      failure = error
    })
    cluster.on('node-error', (error: Error) => {
      failure = error
      if (this.connected && !this.isClosed) this.onEvent({ type: 'disconnected', error })
    })
    cluster.on('node-ready', () => {
      if (this.connected) this.onEvent({ type: 'connected' })
    })
    let expired = false
    const timer = setTimeout(() => {
      expired = true
      cluster.destroy()
    }, deadline * 2)
    try {
      await cluster.connect()
    } catch (error) {
      cluster.destroy()
      if (expired) throw late(this.address, deadline * 2, false)
      throw isReply(failure) ? refused(failure, this.address) : broken(failure ?? error, this.address, false)
    } finally {
      clearTimeout(timer)
    }
    this.connected = cluster
    this.onEvent({ type: 'connected' })
  }

  async close(): Promise<void> {
    this.isClosed = true
    if (this.calls.size > 0) await new Promise<void>((resolve) => (this.onIdle = resolve))
    clearTimeout(this.timer)
    this.connected?.destroy()
    this.connected = undefined
  }

  send(key: string | undefined, args: readonly Argument[], sending: Sending): Promise<Reply> {
    const cluster = this.connected
    if (this.isClosed || cluster === undefined) return Promise.reject(closed(this.address))
    const mapping = sending.binary ? asBytes : asText
    return this.within(key, sending, async () =>
      sending.pinned && key !== undefined
        ? (await cluster.getNodeClientForKey(key, false)).sendCommand(args, mapping)
        : cluster.sendCommand(key, false, args, mapping),
    )
  }

  async everywhere(args: readonly Argument[], sending: Sending): Promise<Reply[]> {
    const cluster = this.connected
    if (this.isClosed || cluster === undefined) throw closed(this.address)
    return Promise.all(
      cluster.masters.map((node) =>
        this.within(undefined, sending, async () =>
          (await cluster.nodeClient(node)).sendCommand(args, sending.binary ? asBytes : asText),
        ),
      ),
    )
  }

  async dedicated(key: string | undefined): Promise<RawClient> {
    const cluster = this.connected
    if (this.isClosed || cluster === undefined) throw closed(this.address)
    const { host, port } =
      key === undefined
        ? cluster.masters[Math.floor(Math.random() * cluster.masters.length)]
        : await this.nodeOf(cluster, key)
    const address = `${host}:${port}`
    return connectClient(newClient({ ...this.options, host, port, database: 0 }), address, this.options.deadline)
  }

  private async nodeOf(cluster: RawCluster, key: string): Promise<{ host: string; port: number }> {
    await this.send(key, ['EXISTS', key], { write: false }) // follows a redirection, so the layout is fresh
    const client = await cluster.getNodeClientForKey(key, false).catch((error: unknown) => {
      throw broken(error, this.address, false)
    })
    for (const node of cluster.nodeByAddress.values()) {
      if (node.client === client) return node
    }
    const { host = '127.0.0.1', port = 6379 } = client.options.socket ?? {}
    return { host, port }
  }

  private within(key: string | undefined, sending: Sending, send: () => Promise<unknown>): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      const call: Waiting = { key, at: Date.now() + this.options.deadline, write: sending.write, reject }
      this.calls.add(call)
      this.timer ??= setTimeout(() => this.expire(), this.options.deadline)
      send().then(
        (reply) => {
          this.done(call)
          resolve(reply as Reply)
        },
        (error: unknown) => {
          this.done(call)
          reject(isReply(error) ? refused(error, this.address) : broken(error, this.address, sending.write))
        },
      )
    })
  }

  private done(call: Waiting): void {
    this.calls.delete(call)
    if (this.calls.size === 0) this.onIdle?.()
  }

  private expire(): void {
    this.timer = undefined
    const now = Date.now()
    for (const call of this.calls) {
      if (call.at > now) {
        this.timer = setTimeout(() => this.expire(), call.at - now)
        return
      }
      call.reject(late(this.address, this.options.deadline, call.write))
      this.done(call)
      if (call.key !== undefined) this.renew(call.key, call.at - this.options.deadline)
    }
  }

  /**
   * Throws away the connection to the node of this key, also one that is still being made: node-redis makes a new one for
   * the next call. A call that is older than the connection says nothing about it.
   */
  private renew(key: string, sentAt: number): void {
    const node = this.connected?.slots[slotOf(key)]?.master
    if (node?.client === undefined || sentAt < (this.renewed.get(node) ?? 0)) return
    this.renewed.set(node, Date.now())
    const { client } = node
    node.client = undefined
    client.destroy()
  }
}

interface Waiting {
  key: string | undefined
  /** ms since the epoch when it is given up; calls are kept in this order. */
  at: number
  write: boolean
  reject(error: Error): void
}
