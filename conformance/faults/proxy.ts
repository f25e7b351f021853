import { once } from 'node:events'
import { createServer, connect as openSocket, type Server, type Socket } from 'node:net'

interface Pair {
  near: Socket
  far: Socket
  /** Swallows everything both ways, for ever: the peer is gone and nobody said so. */
  dead: boolean
}

/** A TCP proxy that can do to a connection what networks do. */
export class FaultProxy {
  port = 0
  private readonly pairs = new Set<Pair>()
  private server!: Server
  private silent = false
  private refusing = false
  /** ms each chunk is held. */
  private delay = 0
  /** Bytes a second each way; 0 = no limit. */
  private bandwidth = 0

  private constructor(private target: number) {}

  static async start(target: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    proxy.server = createServer((near) => proxy.accept(near))
    proxy.server.listen(0, '127.0.0.1')
    await once(proxy.server, 'listening')
    proxy.port = (proxy.server.address() as { port: number }).port
    return proxy
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get connections(): number {
    return this.pairs.size
  }

  /** RST on every connection. */
  reset(): void {
    for (const { near, far } of this.pairs) {
      near.resetAndDestroy()
      far.destroy()
    }
  }

  /** Connections of now never carry anything again; new ones are accepted and stay silent until `heal`. */
  halfOpen(): void {
    this.silent = true
    for (const pair of this.pairs) pair.dead = true
  }

  /** New connections are reset. */
  refuse(): void {
    this.refusing = true
    this.reset()
  }

  slow(bytesPerSecond: number): void {
    this.bandwidth = bytesPerSecond
  }

  late(ms: number): void {
    this.delay = ms
  }

  /** Connections made from now on lead to another server; those of now are reset. */
  switchTo(port: number): void {
    this.target = port
    this.reset()
  }

  /** As a name whose address has changed: connections of now stay where they are. */
  nameAnother(port: number): void {
    this.target = port
  }

  heal(): void {
    this.silent = this.refusing = false
    this.delay = this.bandwidth = 0
  }

  async close(): Promise<void> {
    this.reset()
    this.server.close()
    await once(this.server, 'close')
  }

  private accept(near: Socket): void {
    if (this.refusing) {
      near.resetAndDestroy()
      return
    }
    const far = openSocket(this.target, '127.0.0.1')
    const pair: Pair = { near, far, dead: this.silent }
    this.pairs.add(pair)
    const end = () => {
      this.pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.on('close', end)
    }
    this.forward(pair, near, far)
    this.forward(pair, far, near)
  }

  private forward(pair: Pair, from: Socket, to: Socket): void {
    let free = 0
    from.on('data', (chunk: Buffer) => {
      if (pair.dead) return
      const now = performance.now()
      if (this.delay === 0 && this.bandwidth === 0 && free <= now) {
        to.write(chunk)
        return
      }
      // In order: a chunk leaves after the one before it.
      const cost = this.bandwidth > 0 ? (1_000 * chunk.length) / this.bandwidth : 0
      free = Math.max(free, now + this.delay) + cost
      const leave = () => {
        if (!pair.dead && !to.destroyed) to.write(chunk)
      }
      const held = { chunk, leave }
      setTimeout(() => held.leave(), free - now).unref()
    })
  }
}
