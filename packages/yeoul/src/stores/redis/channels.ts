import type { Channels, StoreEvent, Subscription } from '../../runtime/store.js'
import { asText, type RawClient, sendWithin } from './client.js'
import { broken, closed, isReply, refused } from './errors.js'
import type { Link } from './link.js'

/**
 * Pub/Sub over one connection of its own, made with the first subscription. It is asked for a sign of life regularly,
 * because a half-open connection would otherwise go unnoticed for ever; when it ends, all subscriptions are made again on a
 * new one and every subscriber is told that it missed something.
 */
export class RedisChannels implements Channels {
  private readonly channels = new Map<string, Listened>()
  private readonly patterns = new Map<string, Listened>()
  private client: RawClient | undefined
  private connecting: Promise<RawClient> | undefined
  private pulse: NodeJS.Timeout | undefined
  private retry: NodeJS.Timeout | undefined
  private failures = 0
  private isClosed = false

  constructor(
    private readonly link: Link,
    /** ms between signs of life, and to wait for one. */
    private readonly deadline: number,
    private readonly onEvent: (event: StoreEvent) => void,
  ) {}

  async publish(channel: string, message: string | Buffer): Promise<number> {
    // In a cluster any node takes it; always the same one for a channel keeps its messages in order.
    return (await this.link.send(channel, ['PUBLISH', channel, message], { write: true, pinned: true })) as number
  }

  async subscribe(
    selection: { channels?: readonly string[]; patterns?: readonly string[] },
    listener: (message: Buffer, channel: string) => void,
    onGap: () => void = () => {},
  ): Promise<Subscription> {
    if (this.isClosed) throw closed(this.link.address)
    const subscriber: Subscriber = { listener, onGap }
    const client = await this.connected()
    const active: Promise<void>[] = []
    for (const kind of ['channels', 'patterns'] as const) {
      for (const name of selection[kind] ?? []) {
        let listened = this[kind].get(name)
        if (listened === undefined) {
          listened = { subscribers: new Set(), active: this.listen(client, kind, name) }
          this[kind].set(name, listened)
        }
        listened.subscribers.add(subscriber)
        active.push(listened.active)
      }
    }
    try {
      await Promise.all(active)
    } catch (error) {
      await this.leave(subscriber)
      throw isReply(error) ? refused(error, this.link.address) : broken(error, this.link.address, false)
    }
    return { close: () => this.leave(subscriber) }
  }

  close(): void {
    this.isClosed = true
    clearTimeout(this.pulse)
    clearTimeout(this.retry)
    this.client?.destroy()
    this.client = undefined
    this.channels.clear()
    this.patterns.clear()
  }

  private async leave(subscriber: Subscriber): Promise<void> {
    for (const kind of ['channels', 'patterns'] as const) {
      for (const [name, { subscribers }] of this[kind]) {
        if (!subscribers.delete(subscriber) || subscribers.size > 0) continue
        this[kind].delete(name)
        const client = this.client
        if (!client?.isReady) continue
        // Already gone with its connection when this fails.
        await (kind === 'channels' ? client.unsubscribe(name) : client.pUnsubscribe(name)).catch(() => {})
        const again = this[kind].get(name) // subscribed to anew while it was being given up
        if (again && this.client === client) again.active = this.listen(client, kind, name)
      }
    }
  }

  private listen(client: RawClient, kind: 'channels' | 'patterns', name: string): Promise<void> {
    const deliver = (message: Buffer, channel: Buffer) => {
      const text = channel.toString()
      for (const { listener } of this[kind].get(name)?.subscribers ?? []) listener(message, text)
    }
    return kind === 'channels' ? client.subscribe(name, deliver, true) : client.pSubscribe(name, deliver, true)
  }

  private connected(): Promise<RawClient> {
    if (this.client) return Promise.resolve(this.client)
    this.connecting ??= this.connect().finally(() => (this.connecting = undefined))
    return this.connecting
  }

  private async connect(): Promise<RawClient> {
    const client = await this.link.dedicated(undefined)
    if (this.isClosed) {
      client.destroy()
      throw closed(this.link.address)
    }
    client.on('end', () => this.lost(client, new Error('the connection for subscriptions ended')))
    client.on('error', (error) => this.lost(client, error ?? new Error('the connection for subscriptions failed')))
    this.client = client
    this.beat(client)
    return client
  }

  private beat(client: RawClient): void {
    // Half the deadline between, half for the answer: a dead connection is noticed within the deadline.
    this.pulse = setTimeout(() => {
      sendWithin(client, ['PING'], asText, this.deadline / 2, () => {}).then(
        () => this.client === client && this.beat(client),
        // A server that is busy answers with an error: the connection lives.
        (error: Error) => (isReply(error) && this.client === client ? this.beat(client) : this.lost(client, error)),
      )
    }, this.deadline / 2)
  }

  private lost(client: RawClient, error: Error): void {
    if (this.client !== client) return
    this.client = undefined
    clearTimeout(this.pulse)
    client.destroy()
    if (this.isClosed) return
    this.onEvent({ type: 'disconnected', error })
    this.again()
  }

  private again(): void {
    const delay = Math.min(2000, 50 * 2 ** Math.min(this.failures++, 10)) * (0.5 + Math.random() / 2)
    this.retry = setTimeout(() => {
      this.retry = undefined
      this.restore().then(
        () => (this.failures = 0),
        (error: Error) => {
          if (this.isClosed) return
          this.onEvent({ type: 'warning', text: `subscribing again failed: ${error.message}` })
          // Connected, but not all is subscribed to: begin anew.
          if (this.client) this.lost(this.client, error)
          else if (this.retry === undefined) this.again()
        },
      )
    }, delay)
  }

  private async restore(): Promise<void> {
    const client = await this.connected()
    const listened: Promise<void>[] = []
    for (const kind of ['channels', 'patterns'] as const) {
      for (const [name, entry] of this[kind]) {
        entry.active = this.listen(client, kind, name)
        listened.push(entry.active)
      }
    }
    await Promise.all(listened)
    this.onEvent({ type: 'connected' })
    const told = new Set<Subscriber>()
    for (const kind of [this.channels, this.patterns]) {
      for (const { subscribers } of kind.values()) for (const subscriber of subscribers) told.add(subscriber)
    }
    for (const subscriber of told) subscriber.onGap()
  }
}

interface Listened {
  readonly subscribers: Set<Subscriber>
  /** Settles when the server has confirmed the subscription. */
  active: Promise<void>
}

interface Subscriber {
  listener(message: Buffer, channel: string): void
  onGap(): void
}
