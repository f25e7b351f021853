import { StoreError } from '../../runtime/store.js'
import type { Argument, Reply } from '../functions/step.js'
import { asBytes, asText, type RawClient, sendWithin } from './client.js'
import { broken, isReply, late, refused } from './errors.js'
import { hashTag } from './hash-slot.js'
import type { Link } from './link.js'

/** A server holds a blocking read at most this long; then it is asked again. */
const longestBlock = 5000

/**
 * Connections for blocking reads: one per read under way, kept for the next one. A read that has no answer by its block
 * time and `grace` more has lost its server (half-open socket, frozen process): its socket is destroyed, the read
 * rejects, the next one gets a new connection.
 */
export class BlockingReaders {
  private readonly idle = new Map<string, Reader[]>()
  private readonly busy = new Set<Reader>()
  private readonly reads = new Set<Promise<Reply>>()
  private isClosed = false

  constructor(
    private readonly link: Link,
    private readonly grace: number,
  ) {}

  /**
   * Runs a blocking command for keys of one slot; `build` is given the block time. Null when nothing came, the signal was
   * aborted or the store was closed: a reader is woken on the server, so that no entry is delivered to nobody.
   */
  read(
    key: string,
    block: number,
    signal: AbortSignal | undefined,
    build: (block: number) => Argument[],
    write: boolean,
  ): Promise<Reply> {
    const read = this.until(Date.now() + block, key, signal, build, write)
    this.reads.add(read)
    return read.finally(() => this.reads.delete(read))
  }

  async close(): Promise<void> {
    this.isClosed = true
    for (const readers of this.idle.values()) for (const { client } of readers) client.destroy()
    this.idle.clear()
    for (const reader of this.busy) void this.wake(reader)
    await Promise.allSettled(this.reads)
  }

  private async until(
    end: number,
    key: string,
    signal: AbortSignal | undefined,
    build: (block: number) => Argument[],
    write: boolean,
  ): Promise<Reply> {
    while (true) {
      if (this.isClosed || signal?.aborted) return null
      const remaining = Math.min(longestBlock, end - Date.now())
      const reply = await this.once(key, Math.max(1, Math.ceil(remaining)), signal, build, write)
      if (reply !== null || Date.now() >= end) return reply
    }
  }

  private async once(
    key: string,
    block: number,
    signal: AbortSignal | undefined,
    build: (block: number) => Argument[],
    write: boolean,
  ): Promise<Reply> {
    const reader = await this.reader(key)
    if (this.isClosed || signal?.aborted) {
      this.keep(reader)
      return null
    }
    const wake = () => void this.wake(reader)
    const limit = block + this.grace
    let expired = false
    reader.settled = new Promise((resolve) => (reader.settle = resolve))
    this.busy.add(reader)
    signal?.addEventListener('abort', wake, { once: true })
    try {
      const reply = await sendWithin(reader.client, build(block), asBytes, limit, () => (expired = true))
      this.keep(reader)
      return reply
    } catch (error) {
      if (isReply(error)) {
        // Served elsewhere: this connection leads to the wrong server, and the next one is made to the right one.
        if (/^(MOVED|ASK|READONLY) /.test(error.message)) reader.client.destroy()
        else this.keep(reader)
        if (error.message.startsWith('UNBLOCKED')) return null // the stream was removed while waiting
        throw refused(error, this.link.address)
      }
      reader.client.destroy()
      if (this.isClosed && !expired) return null
      throw expired ? late(this.link.address, limit, write) : broken(error, this.link.address, write)
    } finally {
      this.busy.delete(reader)
      signal?.removeEventListener('abort', wake)
      reader.settle()
    }
  }

  /** Wakes a blocked reader through CLIENT UNBLOCK; a reader that cannot be woken loses its connection. */
  private async wake(reader: Reader): Promise<void> {
    const giveUp = setTimeout(() => reader.client.destroy(), this.grace)
    try {
      // The read may not have reached the server yet when it is to be woken: ask until it has settled.
      while (this.busy.has(reader)) {
        await this.link.send(reader.key, ['CLIENT', 'UNBLOCK', reader.id], { write: false, pinned: true })
        await Promise.race([reader.settled, pause(20)])
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      reader.client.destroy()
    } finally {
      clearTimeout(giveUp)
    }
    await reader.settled
  }

  private async reader(key: string): Promise<Reader> {
    const slot = this.link.cluster ? hashTag(key) : ''
    const kept = this.idle.get(slot)
    while (kept && kept.length > 0) {
      const reader = kept.pop()!
      if (reader.client.isReady) return reader
    }
    const client = await this.link.dedicated(key)
    try {
      const id = (await sendWithin(client, ['CLIENT', 'ID'], asText, this.grace, () => {})) as number
      return { client, id: String(id), key, slot, settled: Promise.resolve(), settle() {} }
    } catch (error) {
      client.destroy()
      throw isReply(error) ? refused(error, this.link.address) : broken(error, this.link.address, false)
    }
  }

  private keep(reader: Reader): void {
    if (this.isClosed || !reader.client.isReady) {
      reader.client.destroy()
      return
    }
    const kept = this.idle.get(reader.slot)
    if (kept) kept.push(reader)
    else this.idle.set(reader.slot, [reader])
  }
}

interface Reader {
  client: RawClient
  /** CLIENT ID of its connection. */
  id: string
  key: string
  slot: string
  settled: Promise<void>
  settle(): void
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
