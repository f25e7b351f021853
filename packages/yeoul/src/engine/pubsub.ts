import { glob } from './glob.js'
import { Reply } from './resp/reply.js'
import type { Session } from './session.js'

/** A subscriber in this process. It gets memory of its own; it must not throw. */
export type Listener = (channel: string, payload: Buffer, pattern: string | undefined) => void

/** Names are latin1 strings (one character a byte). */
export interface Selection {
  channels?: readonly string[]
  patterns?: readonly string[]
}

/**
 * Channels and patterns. Messages live only in memory: they are never logged, and whoever is not subscribed when one is
 * published never sees it. For one subscriber, messages of all its channels arrive in the order they were published.
 *
 * Subscribers are sessions (a message is written into their output, encoded once for each protocol) and listeners of
 * this process (called after the present turn's code, so that a listener may use the engine freely).
 */
export class PubSub {
  readonly #channels = new Map<string, Set<Session>>()
  readonly #patterns = new Map<string, Set<Session>>()
  readonly #shardChannels = new Map<string, Set<Session>>()
  readonly #localChannels = new Map<string, Set<Listener>>()
  readonly #localPatterns = new Map<string, Set<Listener>>()
  #calls: { listener: Listener; channel: string; payload: Buffer; pattern: string | undefined }[] = []
  /** The session whose command runs: what it publishes to itself follows its reply. */
  executing: Session | undefined
  #held: Buffer[] = []

  get patternCount(): number {
    return union(this.#patterns.keys(), this.#localPatterns.keys()).size
  }

  get channelCount(): number {
    return union(this.#channels.keys(), this.#localChannels.keys()).size
  }

  get shardChannelCount(): number {
    return this.#shardChannels.size
  }

  /** True when anybody could receive something: lets keyspace events skip building names. */
  get active(): boolean {
    return (
      this.#channels.size > 0 || this.#patterns.size > 0 || this.#localChannels.size > 0 || this.#localPatterns.size > 0
    )
  }

  /** Channels with at least one subscriber; patterns do not count. */
  channels(pattern?: string): string[] {
    const names = [...union(this.#channels.keys(), this.#localChannels.keys())]
    return pattern === undefined ? names : names.filter((name) => glob(pattern, name))
  }

  shardChannels(pattern?: string): string[] {
    const names = [...this.#shardChannels.keys()]
    return pattern === undefined ? names : names.filter((name) => glob(pattern, name))
  }

  subscriberCount(channel: string): number {
    return (this.#channels.get(channel)?.size ?? 0) + (this.#localChannels.get(channel)?.size ?? 0)
  }

  shardSubscriberCount(channel: string): number {
    return this.#shardChannels.get(channel)?.size ?? 0
  }

  /** Subscribes code of this process; the returned function ends the subscription. */
  subscribe(selection: Selection, listener: Listener): () => void {
    const channels = [...new Set(selection.channels ?? [])]
    const patterns = [...new Set(selection.patterns ?? [])]
    // A wrapper of its own: the same function may be subscribed twice and each subscription ends alone.
    const own: Listener = (channel, payload, pattern) => {
      if (open) listener(channel, payload, pattern)
    }
    let open = true
    for (const channel of channels) add(this.#localChannels, channel, own)
    for (const pattern of patterns) add(this.#localPatterns, pattern, own)
    return () => {
      if (!open) return
      open = false
      for (const channel of channels) remove(this.#localChannels, channel, own)
      for (const pattern of patterns) remove(this.#localPatterns, pattern, own)
    }
  }

  /** False when the session was subscribed already. */
  subscribeChannel(session: Session, channel: string): boolean {
    session.channels.add(channel)
    return add(this.#channels, channel, session)
  }

  unsubscribeChannel(session: Session, channel: string): boolean {
    session.channels.delete(channel)
    return remove(this.#channels, channel, session)
  }

  subscribePattern(session: Session, pattern: string): boolean {
    session.patterns.add(pattern)
    return add(this.#patterns, pattern, session)
  }

  unsubscribePattern(session: Session, pattern: string): boolean {
    session.patterns.delete(pattern)
    return remove(this.#patterns, pattern, session)
  }

  subscribeShard(session: Session, channel: string): boolean {
    session.shardChannels.add(channel)
    return add(this.#shardChannels, channel, session)
  }

  unsubscribeShard(session: Session, channel: string): boolean {
    session.shardChannels.delete(channel)
    return remove(this.#shardChannels, channel, session)
  }

  /** Ends all subscriptions of a session that leaves or resets. */
  drop(session: Session): void {
    for (const channel of [...session.channels]) this.unsubscribeChannel(session, channel)
    for (const pattern of [...session.patterns]) this.unsubscribePattern(session, pattern)
    for (const channel of [...session.shardChannels]) this.unsubscribeShard(session, channel)
  }

  /** Sends to subscribers of the channel, then of matching patterns; the number of deliveries. */
  publish(channel: string, payload: Buffer): number {
    let receivers = 0
    let copy: Buffer | undefined
    const subscribers = this.#channels.get(channel)
    if (subscribers !== undefined) {
      const message = new Message('message', undefined, channel, payload)
      for (const session of subscribers) this.#deliver(session, message)
      receivers += subscribers.size
    }
    const listeners = this.#localChannels.get(channel)
    if (listeners !== undefined) {
      copy = Buffer.from(payload)
      for (const listener of listeners) this.#call(listener, channel, copy, undefined)
      receivers += listeners.size
    }
    for (const [pattern, sessions] of this.#patterns) {
      if (!glob(pattern, channel)) continue
      const message = new Message('pmessage', pattern, channel, payload)
      for (const session of sessions) this.#deliver(session, message)
      receivers += sessions.size
    }
    for (const [pattern, matching] of this.#localPatterns) {
      if (!glob(pattern, channel)) continue
      copy ??= Buffer.from(payload)
      for (const listener of matching) this.#call(listener, channel, copy, pattern)
      receivers += matching.size
    }
    return receivers
  }

  publishShard(channel: string, payload: Buffer): number {
    const subscribers = this.#shardChannels.get(channel)
    if (subscribers === undefined) return 0
    const message = new Message('smessage', undefined, channel, payload)
    for (const session of subscribers) this.#deliver(session, message)
    return subscribers.size
  }

  /** The reply of `executing` is written: what was held back for it follows. */
  settle(): void {
    const session = this.executing
    this.executing = undefined
    if (session === undefined || this.#held.length === 0) return
    for (const bytes of this.#held) session.output.raw(bytes, 0, bytes.length)
    this.#held = []
    session.onOutput(session)
  }

  #deliver(session: Session, message: Message): void {
    const bytes = message.encoded(session.output.protocol)
    if (session === this.executing) {
      this.#held.push(bytes)
      return
    }
    session.output.raw(bytes, 0, bytes.length)
    session.onOutput(session)
  }

  #call(listener: Listener, channel: string, payload: Buffer, pattern: string | undefined): void {
    if (this.#calls.push({ listener, channel, payload, pattern }) === 1) queueMicrotask(() => this.#run())
  }

  #run(): void {
    const calls = this.#calls
    this.#calls = []
    for (const { listener, channel, payload, pattern } of calls) {
      try {
        listener(channel, payload, pattern)
      } catch (error) {
        // One subscriber's mistake must neither reach the publisher nor keep the message from the others.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}

/** A message encoded at most once for each protocol, however many subscribers there are. */
class Message {
  #resp2: Buffer | undefined
  #resp3: Buffer | undefined

  constructor(
    readonly kind: 'message' | 'pmessage' | 'smessage',
    readonly pattern: string | undefined,
    readonly channel: string,
    readonly payload: Buffer,
  ) {}

  encoded(protocol: 2 | 3): Buffer {
    if (protocol === 3) return (this.#resp3 ??= this.#encode(3))
    return (this.#resp2 ??= this.#encode(2))
  }

  #encode(protocol: 2 | 3): Buffer {
    const reply = new Reply(this.payload.length + this.channel.length + (this.pattern?.length ?? 0) + 96)
    reply.protocol = protocol
    reply.push(this.pattern === undefined ? 3 : 4)
    reply.bulk(this.kind)
    if (this.pattern !== undefined) reply.bulk(this.pattern)
    reply.bulk(this.channel)
    reply.bulkBytes(this.payload)
    return reply.bytes.subarray(0, reply.length)
  }
}

function add<T>(map: Map<string, Set<T>>, name: string, subscriber: T): boolean {
  const set = map.get(name)
  if (set === undefined) {
    map.set(name, new Set([subscriber]))
    return true
  }
  const before = set.size
  return set.add(subscriber).size > before
}

function remove<T>(map: Map<string, Set<T>>, name: string, subscriber: T): boolean {
  const set = map.get(name)
  if (set === undefined || !set.delete(subscriber)) return false
  if (set.size === 0) map.delete(name)
  return true
}

function union(a: Iterable<string>, b: Iterable<string>): Set<string> {
  const names = new Set(a)
  for (const name of b) names.add(name)
  return names
}
