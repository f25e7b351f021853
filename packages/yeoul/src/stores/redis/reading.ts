import { setMaxListeners } from 'node:events'
import type { Entry, StreamEntries } from '../../runtime/store.js'
import type { Argument, Reply } from '../functions/step.js'
import { closed } from './errors.js'
import { hashTag } from './hash-slot.js'
import type { Link } from './link.js'
import { BlockingReaders } from './readers.js'

export interface ReadOptions {
  /** ms; absent or 0 = do not wait. */
  block?: number
  signal?: AbortSignal
}

/** Reads from several streams at once, waiting or not, wherever they are. */
export class StreamReading {
  private readonly readers: BlockingReaders
  /** Waits over several slots, to be ended by `close`. */
  private readonly waits = new Set<AbortController>()
  private isClosed = false

  constructor(
    private readonly link: Link,
    grace: number,
  ) {
    this.readers = new BlockingReaders(link, grace)
  }

  /**
   * `build` makes the command for streams of one slot. One call where all streams share a connection; in a cluster one per
   * slot, side by side: the first that has something ends the wait of the others, and what they got meanwhile comes along.
   * Rejects only when nothing was found: what one slot delivered is not lost because another one failed.
   */
  async read(
    streams: readonly string[],
    { block, signal }: ReadOptions,
    write: boolean,
    build: (streams: readonly string[], block: string[]) => Argument[],
  ): Promise<StreamEntries[]> {
    if (this.isClosed) throw closed(this.link.address)
    const slots = this.link.cluster ? bySlot(streams) : [streams]
    if (!block) {
      return together(slots, async (part) => this.link.send(part[0], build(part, []), { write, binary: true }))
    }
    const blocking = (part: readonly string[], ended: AbortSignal | undefined) =>
      this.readers.read(part[0], block, ended, (ms) => build(part, ['BLOCK', String(ms)]), write)
    if (slots.length === 1) return streamsOf(await blocking(slots[0], signal))
    const rest = new AbortController()
    const stop = () => rest.abort()
    setMaxListeners(0, rest.signal)
    this.waits.add(rest)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      return await together(slots, (part) => blocking(part, rest.signal).finally(stop))
    } finally {
      this.waits.delete(rest)
      signal?.removeEventListener('abort', stop)
    }
  }

  close(): Promise<void> {
    this.isClosed = true
    for (const wait of this.waits) wait.abort()
    return this.readers.close()
  }
}

async function together(
  slots: readonly (readonly string[])[],
  read: (streams: readonly string[]) => Promise<Reply>,
): Promise<StreamEntries[]> {
  const replies = await Promise.allSettled(slots.map(read))
  const found = replies.flatMap((reply) => (reply.status === 'fulfilled' ? streamsOf(reply.value) : []))
  const failed = replies.find((reply) => reply.status === 'rejected')
  if (failed && found.length === 0) throw failed.reason
  return found
}

function bySlot(streams: readonly string[]): string[][] {
  const slots = new Map<string, string[]>()
  for (const stream of streams) {
    const tag = hashTag(stream)
    const list = slots.get(tag)
    if (list) list.push(stream)
    else slots.set(tag, [stream])
  }
  return [...slots.values()]
}

/** Rows of an id and its fields. */
export function entriesOf(reply: Reply): Entry[] {
  const entries: Entry[] = []
  for (const row of reply as [Buffer, Buffer[] | null][]) {
    entries.push({ id: row[0].toString('latin1'), fields: row[1] ?? [] })
  }
  return entries
}

/** A flat array of stream names and their entries; null when there are none. */
function streamsOf(reply: Reply): StreamEntries[] {
  const found: StreamEntries[] = []
  const list = (reply ?? []) as Reply[]
  for (let i = 0; i < list.length; i += 2) {
    found.push({ stream: (list[i] as Buffer).toString(), entries: entriesOf(list[i + 1]) })
  }
  return found
}
