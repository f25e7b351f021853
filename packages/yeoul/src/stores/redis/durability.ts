import { durableKey } from '../../runtime/keys.js'
import { type Durability, StoreError, type StoreFacts } from '../../runtime/store.js'
import { asText, type RawClient, sendWithin } from './client.js'
import { broken, isReply, late, refused } from './errors.js'
import { hashTag } from './hash-slot.js'
import type { Link } from './link.js'

/** ms that WAIT and WAITAOF may take. */
const patience = 2_000

/**
 * Confirms that writes have reached the disk or replicas, by WAITAOF and WAIT on a connection of their own per slot: both
 * block their connection, and would hold everything else up.
 *
 * WAIT speaks of the writes of its own connection, so it comes behind a small write there. The log of a server is one
 * sequence: what the server answered before that write stands before it. The connection is made before the publish that it
 * is to confirm, so that both speak to the same server.
 */
export class Confirmations {
  private readonly lanes = new Map<string, Lane>()
  private isClosed = false

  constructor(
    private readonly link: Link,
    private readonly facts: StoreFacts,
  ) {}

  async prepare(stream: string, durability: Exclude<Durability, 'memory'>): Promise<() => Promise<void>> {
    const command = this.command(durability)
    if (command === undefined) return async () => {}
    const slot = this.link.cluster ? hashTag(stream) : ''
    const name = `${slot} ${command.join(' ')}`
    let lane = this.lanes.get(name)
    if (lane === undefined || !lane.usable) {
      lane = new Lane(this.link, durableKey(stream), command, durability === 'disk' ? 1 : durability.replicas)
      this.lanes.set(name, lane)
    }
    await lane.connect()
    if (this.isClosed) lane.close()
    const connected = lane
    return () => connected.confirm()
  }

  close(): void {
    this.isClosed = true
    for (const lane of this.lanes.values()) lane.close()
  }

  /** Undefined when the answer to a write says it already. */
  private command(durability: Exclude<Durability, 'memory'>): string[] | undefined {
    const { kind, version, durability: kept } = this.facts
    if (durability !== 'disk') {
      if (kind === 'yeoul') throw cannot(`${this.link.address} is a yeoul server, which has no replicas`)
      return ['WAIT', String(durability.replicas), String(patience)]
    }
    if (kept === 'always') return undefined
    if (kept === 'memory') {
      throw cannot(`${this.link.address} keeps no append-only file: nothing it is sent reaches the disk in time`)
    }
    const [major, minor] = version.split('.').map(Number)
    if (kind !== 'yeoul' && (major < 7 || (major === 7 && minor < 2))) {
      throw cannot(
        `${this.link.address} is ${kind} ${version}: WAITAOF came with 7.2, so only appendfsync always will do`,
      )
    }
    return ['WAITAOF', '1', '0', String(patience)]
  }
}

/** One connection and what waits for its next answer: many publishes share a wait. */
class Lane {
  private client: RawClient | undefined
  private connecting: Promise<void> | undefined
  private gathered: { resolve: () => void; reject: (error: Error) => void }[] = []
  private underWay = false

  constructor(
    private readonly link: Link,
    private readonly key: string,
    private readonly command: readonly string[],
    private readonly wanted: number,
  ) {}

  /** Not yet connected, or still so. */
  get usable(): boolean {
    return this.client === undefined || this.client.isReady
  }

  connect(): Promise<void> {
    this.connecting ??= this.link.dedicated(this.key).then(
      (client) => {
        this.client = client
      },
      (error) => {
        this.connecting = undefined
        throw error
      },
    )
    return this.connecting
  }

  confirm(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.gathered.push({ resolve, reject })
      if (!this.underWay) {
        this.underWay = true
        setImmediate(() => void this.run())
      }
    })
  }

  close(): void {
    this.client?.destroy()
  }

  private async run(): Promise<void> {
    while (this.gathered.length > 0) {
      const waiting = this.gathered
      this.gathered = []
      try {
        await this.ask()
        for (const { resolve } of waiting) resolve()
      } catch (error) {
        for (const { reject } of waiting) reject(error as Error)
      }
    }
    this.underWay = false
  }

  private async ask(): Promise<void> {
    const client = this.client!
    const limit = 2 * patience
    let expired = false
    try {
      const written = client.sendCommand(['SET', this.key, ''], asText)
      written.catch(() => {}) // its failure is the failure of what follows
      const answer = await sendWithin(client, this.command, asText, limit, () => (expired = true))
      await written
      const reached = Array.isArray(answer) ? (answer[0] as number) : (answer as number)
      if (reached >= this.wanted) return
      const what = this.command[0] === 'WAIT' ? `${reached} of ${this.wanted} replicas have` : 'the disk has not'
      throw new StoreError('DEADLINE', `${this.link.address}: ${what} confirmed it within ${patience} ms`, 'unknown')
    } catch (error) {
      if (error instanceof StoreError) throw error
      if (isReply(error)) throw refused(error, this.link.address, 'unknown')
      throw expired ? late(this.link.address, limit, true) : broken(error, this.link.address, true)
    }
  }
}

function cannot(why: string): StoreError {
  return new StoreError('REFUSED', `${why}.`, 'none')
}
