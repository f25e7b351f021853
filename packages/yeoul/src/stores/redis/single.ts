import type { StoreEvent } from '../../runtime/store.js'
import type { Argument, Reply } from '../functions/step.js'
import { asBytes, asText, type ClientOptions, connectClient, newClient, type RawClient, sendWithin } from './client.js'
import { broken, closed, isReply, late, refused, replyText } from './errors.js'
import type { Link, Sending } from './link.js'

/** ms; a server that stays read-only gets a new connection this often. */
const renewedAtMostEvery = 1000

/**
 * One server, one connection for commands. A connection is used until it ends, then a new one is made, with a backoff that
 * grows to two seconds and is jittered. While there is none, calls are refused at once.
 *
 * One timer watches all calls: a server answers a connection in order, so the connection is dead when calls wait and not
 * one has been answered for the deadline. Then the socket is destroyed (half-open, frozen server) and all of them reject.
 * While no calls are made, PING is one, so that a dead connection is found before it is needed.
 */
export class SingleLink implements Link {
  readonly cluster = false
  private client: RawClient | undefined
  private waiting = 0
  private answered = 0
  private watch: NodeJS.Timeout | undefined
  private reconnect: NodeJS.Timeout | undefined
  private failures = 0
  /** Monotonic ms. */
  private connectedAt = 0
  private expired = false
  private isClosed = false
  private onIdle: (() => void) | undefined

  constructor(
    readonly address: string,
    private readonly options: ClientOptions,
    private readonly onEvent: (event: StoreEvent) => void,
  ) {}

  async open(): Promise<void> {
    await this.connect()
    this.onEvent({ type: 'connected' })
  }

  async close(): Promise<void> {
    this.isClosed = true
    clearTimeout(this.reconnect)
    if (this.waiting > 0) await new Promise<void>((resolve) => (this.onIdle = resolve))
    clearInterval(this.watch)
    this.client?.destroy()
    this.client = undefined
  }

  send(_key: string | undefined, args: readonly Argument[], sending: Sending): Promise<Reply> {
    const client = this.client
    if (this.isClosed) return Promise.reject(closed(this.address))
    if (client === undefined) return Promise.reject(broken(new Error('not connected'), this.address, false))
    this.waiting++
    return client.sendCommand(args, sending.binary ? asBytes : asText).then(
      (reply) => {
        this.done()
        return reply as Reply
      },
      (error: unknown) => {
        this.done()
        if (isReply(error)) {
          if (replyText(error).startsWith('READONLY')) this.demoted(client, error)
          throw refused(error, this.address)
        }
        if (this.expired) throw late(this.address, this.options.deadline, sending.write)
        throw broken(error, this.address, sending.write)
      },
    )
  }

  async everywhere(args: readonly Argument[], sending: Sending): Promise<Reply[]> {
    return [await this.send(undefined, args, sending)]
  }

  dedicated(): Promise<RawClient> {
    return connectClient(newClient(this.options), this.address, this.options.deadline)
  }

  private done(): void {
    this.answered++
    if (--this.waiting === 0) this.onIdle?.()
  }

  private startWatch(): void {
    const step = Math.max(10, this.options.deadline / 6)
    let seen = this.answered
    let silent = 0
    clearInterval(this.watch)
    this.watch = setInterval(() => {
      const idle = this.answered === seen
      seen = this.answered
      silent = idle && this.waiting > 0 ? silent + step : 0
      if (silent >= this.options.deadline) this.giveUp()
      else if (idle && this.waiting === 0) this.send(undefined, ['PING'], { write: false }).catch(() => {})
    }, step)
  }

  private giveUp(): void {
    this.expired = true
    this.client?.destroy()
  }

  /**
   * The server takes no writes any more: another one is the primary, and the address may lead there by now. What is under
   * way is answered before the old connection ends.
   */
  private demoted(client: RawClient, error: Error): void {
    if (this.client !== client || performance.now() - this.connectedAt < renewedAtMostEvery) return
    this.lost(client, error)
    sendWithin(client, ['PING'], asText, this.options.deadline, () => {}).then(
      () => client.destroy(),
      () => client.destroy(),
    )
  }

  private async connect(): Promise<void> {
    const client = newClient(this.options)
    client.on('end', () => this.lost(client, new Error('the connection ended')))
    client.on('error', (error) => this.lost(client, error ?? new Error('the connection failed')))
    await connectClient(client, this.address, this.options.deadline)
    if (this.isClosed) {
      client.destroy()
      throw closed(this.address)
    }
    this.client = client
    this.connectedAt = performance.now()
    this.expired = false
    this.startWatch()
  }

  private lost(client: RawClient, error: Error): void {
    if (this.client !== client) return // a failed attempt to connect, or known already
    this.client = undefined
    clearInterval(this.watch)
    if (this.isClosed) return
    this.onEvent({
      type: 'disconnected',
      error: this.expired ? late(this.address, this.options.deadline, false) : error,
    })
    this.connectLater()
  }

  private connectLater(): void {
    const delay = Math.min(2000, 50 * 2 ** Math.min(this.failures++, 10)) * (0.5 + Math.random() / 2)
    this.reconnect = setTimeout(() => {
      const started = Date.now()
      this.connect().then(
        () => {
          this.failures = 0
          this.onEvent({ type: 'connected' })
        },
        (error: Error) => {
          if (this.isClosed) return
          this.onEvent({
            type: 'warning',
            text: `reconnecting failed after ${Date.now() - started} ms: ${error.message}`,
          })
          this.connectLater()
        },
      )
    }, delay)
  }
}
