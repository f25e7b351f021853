import { EntryReader, MAX_HEADER, markDeleted, writeEntry } from './entry.js'
import { EntryId } from './entry-id.js'
import { type EntrySize, idSize, integerSize, measureFields, NODE_FRAME, NODE_MOST } from './listpack-size.js'
import { compareBase, END, LIVE, NodeIndex, OFFSET, readBase, SEGMENT, TOTAL } from './node-index.js'
import type { Rows } from './rows.js'

/** When a node is full: entries (tombstones count) and bytes as a Redis listpack; 0 = no limit. */
export interface NodeLimits {
  maxEntries: number
  maxBytes: number
}

/** Memory for entries, outside the V8 heap. Filled from the front and never written twice, so a view stays true. */
interface Segment {
  readonly id: number
  readonly bytes: Buffer
  /** Where the next entry would go. */
  used: number
  /** Bytes and number of the nodes that live here; the rest of [0, used) is dead. */
  held: number
  nodes: number
}

/**
 * The entries of one stream: nodes of consecutive entries (what Redis keeps in one listpack), each in one piece inside
 * a segment.
 *
 *     index     | node | node | node |            rows in ID order
 *                  |      |      └──────────┐
 *     segments  [ entries entries … ] [ entries …  free ]
 *
 * A segment is as large as what the stream holds already, between 1 KiB and 1 MiB; an entry that would waste much of
 * one gets its own. When the last node outgrows its segment it moves to the next one, so node boundaries depend on the
 * limits alone. A segment whose nodes are gone is dropped; one that deletions have emptied to a quarter is copied
 * together. Positions into the log hold until `version` changes; appending alone seldom changes it.
 */
export class EntryLog {
  /** Live entries. */
  length = 0
  /** Changes whenever a node moves or goes away. */
  version = 0
  readonly index = new NodeIndex()

  readonly #segments = new Map<number, Segment>()
  #nextSegment = 1
  /** Bytes of all nodes. */
  #held = 0
  /** Bytes of all segments. */
  #capacity = 0
  /** The segment that new nodes go to. */
  #current: Segment | null = null
  /** The segment of the last node, null while it is not known what that node weighs. */
  #tail: Segment | null = null
  /** The last node as a listpack, its two counters left out. */
  #tailSize = 0
  /** The field list of the last node's first entry, from the node's beginning. */
  #masterStart = 0
  #masterCount = 0
  /** In the first node, only tombstones come before this offset (from the node's beginning). */
  #headSkip = 0

  readonly #reader = new EntryReader()
  readonly #base = new EntryId()
  readonly #size: EntrySize = { payload: 0, entry: 0, master: 0 }

  /** `id` must be above every entry's; the caller knows. */
  append(limits: NodeLimits, id: EntryId, source: Buffer, start: number, end: number, fieldCount: number): void {
    const room = end - start + MAX_HEADER
    const { index } = this
    let page = index.pages[index.pages.length - 1]
    let segment: Segment
    if (page !== undefined && this.#fits(page, limits, source, start, fieldCount)) {
      segment = this.#tail as Segment
      const at = page.at(page.size - 1)
      if (page.words[at + END] !== segment.used || segment.bytes.length - segment.used < room) {
        segment = this.#moveTail(page, at, room)
      }
    } else {
      measureFields(source, start, fieldCount, null, 0, 0, this.#size)
      segment = this.#reserve(room)
      page = index.push(id)
      const at = page.at(page.size - 1)
      page.words[at + SEGMENT] = segment.id
      page.words[at + OFFSET] = page.words[at + END] = segment.used
      page.words[at + LIVE] = page.words[at + TOTAL] = 0
      segment.nodes++
      this.#tail = segment
      this.#tailSize = NODE_FRAME + this.#size.master
      this.#masterCount = 0
      if (index.count === 1) this.#headSkip = 0
    }

    const { words } = page
    const at = page.at(page.size - 1)
    readBase(words, at, this.#base)
    const from = segment.used
    const to = writeEntry(segment.bytes, from, this.#base, id, source, start, end, fieldCount)
    if (words[at + TOTAL] === 0) {
      this.#masterStart = to - (end - start) - words[at + OFFSET]
      this.#masterCount = fieldCount
    }
    this.#tailSize += this.#size.entry + idSize(this.#base, id)
    segment.used = words[at + END] = to
    segment.held += to - from
    this.#held += to - from
    words[at + LIVE]++
    words[at + TOTAL]++
    this.length++
  }

  has(id: EntryId): boolean {
    return this.#find(id) >= 0
  }

  /** Leaves a tombstone; false when there is no such live entry. */
  delete(id: EntryId): boolean {
    const at = this.#find(id)
    if (at < 0) return false
    const { page, row } = this.index
    this.#bury(page, row, at)
    if (this.live(page, row) === 0) this.#removeNode(page, row, true)
    return true
  }

  /** Copies the first live ID; false when there is none. */
  first(out: EntryId): boolean {
    if (this.length === 0) return false
    const reader = this.enter(0, 0, this.#reader)
    const { bytes, offset, end } = this.node(0, 0)
    let at = offset + this.#headSkip
    while (at < end) {
      reader.read(bytes, at)
      if (reader.live) {
        this.#headSkip = at - offset
        out.set(reader.id)
        return true
      }
      at = reader.end
    }
    return false
  }

  /** Live entries of a node. */
  live(page: number, row: number): number {
    const rows = this.index.pages[page]
    return rows.words[rows.at(row) + LIVE]
  }

  /** Is the last entry of the node, deleted or not, below `id`? */
  endsBelow(page: number, row: number, id: EntryId): boolean {
    const { pages } = this.index
    const within = row + 1 < pages[page].size
    const after = within ? pages[page] : pages[page + 1]
    if (after !== undefined && compareBase(after.words, after.at(within ? row + 1 : 0), id) <= 0) return true
    const reader = this.enter(page, row, this.#reader)
    const { bytes, offset, end } = this.node(page, row)
    for (let at = offset; at < end; at = reader.end) reader.read(bytes, at)
    return reader.id.compare(id) < 0
  }

  /** Removes a node with all it holds, and returns how many live entries that was. */
  removeNode(page: number, row: number): number {
    const live = this.live(page, row)
    this.length -= live
    this.#removeNode(page, row, false)
    return live
  }

  /**
   * Deletes live entries from the front of a node while `wanted` says 'delete', steps over those it says 'keep' of,
   * until it says 'stop'. Returns how many went. Removes the node if nothing is left in it.
   */
  deleteFrom(page: number, row: number, wanted: (id: EntryId) => 'delete' | 'keep' | 'stop'): number {
    const reader = this.enter(page, row, this.#reader)
    const { bytes, offset, end } = this.node(page, row)
    let removed = 0
    let at = offset
    if (page === 0 && row === 0) at += this.#headSkip
    while (at < end) {
      reader.read(bytes, at)
      if (reader.live) {
        const answer = wanted(reader.id)
        if (answer === 'stop') break
        if (answer === 'delete') {
          this.#bury(page, row, at)
          removed++
        }
      }
      at = reader.end
    }
    if (this.live(page, row) === 0) this.#removeNode(page, row, true)
    return removed
  }

  /** Where a node's bytes are; the result is reused. */
  node(page: number, row: number): NodePlace {
    const rows = this.index.pages[page]
    const at = rows.at(row)
    const place = this.#place
    place.bytes = this.#segment(rows.words[at + SEGMENT]).bytes
    place.offset = rows.words[at + OFFSET]
    place.end = rows.words[at + END]
    return place
  }

  readonly #place: NodePlace = { bytes: NOTHING, offset: 0, end: 0 }

  /** Prepares a reader for the entries of a node. */
  enter(page: number, row: number, reader: EntryReader): EntryReader {
    const rows = this.index.pages[page]
    readBase(rows.words, rows.at(row), reader.base)
    return reader
  }

  /** Bytes held: segments with their free and dead parts, and the index. */
  memory(): number {
    return this.#capacity + this.#segments.size * SEGMENT_OVERHEAD + this.index.bytes()
  }

  /** Offset of a live entry in its segment, or -1; sets the index to its node. */
  #find(id: EntryId): number {
    const { index } = this
    if (!index.floor(id)) return -1
    const reader = this.enter(index.page, index.row, this.#reader)
    const { bytes, offset, end } = this.node(index.page, index.row)
    for (let at = offset; at < end; at = reader.end) {
      reader.read(bytes, at)
      const order = reader.id.compare(id)
      if (order === 0) return reader.live ? at : -1
      if (order > 0) return -1
    }
    return -1
  }

  #bury(page: number, row: number, at: number): void {
    const rows = this.index.pages[page]
    const node = rows.at(row)
    markDeleted(this.#segment(rows.words[node + SEGMENT]).bytes, at)
    rows.words[node + LIVE]--
    this.length--
  }

  #removeNode(page: number, row: number, evacuate: boolean): void {
    const { index } = this
    const rows = index.pages[page]
    const at = rows.at(row)
    const segment = this.#segment(rows.words[at + SEGMENT])
    this.#release(segment, rows.words[at + END] - rows.words[at + OFFSET])
    if (page === 0 && row === 0) this.#headSkip = 0
    if (page === index.pages.length - 1 && row === rows.size - 1) this.#tail = null
    index.remove(page, row)
    this.version++
    // Trimming takes whole segments from the front and need not copy what it is about to drop.
    if (evacuate && segment.nodes > 0 && segment !== this.#current) {
      if (segment.bytes.length >= SPARSE_LEAST && segment.held * 4 <= segment.bytes.length) {
        this.#evacuate(segment, page, row)
      }
    }
  }

  /** Does the entry belong to the last node? Leaves its size in #size. */
  #fits(page: Rows, limits: NodeLimits, source: Buffer, start: number, fieldCount: number): boolean {
    const tail = this.#tail ?? this.#weighTail(page)
    const at = page.at(page.size - 1)
    const { words } = page
    const master = words[at + OFFSET] + this.#masterStart
    measureFields(source, start, fieldCount, tail.bytes, master, this.#masterCount, this.#size)
    const live = words[at + LIVE]
    const total = words[at + TOTAL]
    const bytes = this.#tailSize + integerSize(live) + integerSize(total - live)
    const most = limits.maxBytes > 0 && limits.maxBytes < NODE_MOST ? limits.maxBytes : NODE_MOST
    if (bytes + this.#size.payload >= most) return false
    return limits.maxEntries <= 0 || total < limits.maxEntries
  }

  /** The node that has become the last one is measured anew. */
  #weighTail(page: Rows): Segment {
    const { words } = page
    const at = page.at(page.size - 1)
    const segment = this.#segment(words[at + SEGMENT])
    const { bytes } = segment
    const offset = words[at + OFFSET]
    const reader = this.enter(this.index.pages.length - 1, page.size - 1, this.#reader)
    const size = this.#size
    let total = NODE_FRAME
    for (let from = offset; from < words[at + END]; from = reader.end) {
      reader.read(bytes, from)
      if (from === offset) {
        this.#masterStart = reader.start - offset
        this.#masterCount = reader.fieldCount
        measureFields(bytes, reader.start, reader.fieldCount, null, 0, 0, size)
        total += size.master
      } else {
        const master = offset + this.#masterStart
        measureFields(bytes, reader.start, reader.fieldCount, bytes, master, this.#masterCount, size)
      }
      total += size.entry + idSize(reader.base, reader.id)
    }
    this.#tailSize = total
    this.#tail = segment
    return segment
  }

  #moveTail(page: Rows, at: number, room: number): Segment {
    const { words } = page
    const from = this.#segment(words[at + SEGMENT])
    const offset = words[at + OFFSET]
    const end = words[at + END]
    const length = end - offset
    // A node that goes on growing gets room to double in, or it would be copied for every entry.
    const to = this.#reserve(length + room, length)
    from.bytes.copy(to.bytes, to.used, offset, end)
    words[at + SEGMENT] = to.id
    words[at + OFFSET] = to.used
    to.used += length
    words[at + END] = to.used
    to.held += length
    to.nodes++
    this.#held += length
    this.#release(from, length)
    this.#tail = to
    this.version++
    return to
  }

  /** A segment with at least `room` bytes free; a new one has `spare` bytes more. */
  #reserve(room: number, spare = 0): Segment {
    const current = this.#current
    if (current !== null && current.bytes.length - current.used >= room) return current
    if (room > SEGMENT_MOST / 4) return this.#allocate(room + spare)
    const size = Math.max(SEGMENT_LEAST, Math.min(this.#held, SEGMENT_MOST), room + (room >> 1))
    this.#current = this.#allocate(size)
    return this.#current
  }

  #allocate(size: number): Segment {
    const segment = { id: this.#nextSegment++, bytes: Buffer.allocUnsafeSlow(size), used: 0, held: 0, nodes: 0 }
    this.#segments.set(segment.id, segment)
    this.#capacity += size
    return segment
  }

  /** A node has left the segment. */
  #release(segment: Segment, bytes: number): void {
    segment.held -= bytes
    this.#held -= bytes
    if (--segment.nodes === 0) this.#drop(segment)
  }

  #drop(segment: Segment): void {
    this.#segments.delete(segment.id)
    this.#capacity -= segment.bytes.length
    if (this.#current === segment) this.#current = null
  }

  /** Copies the few nodes left in a segment into one of their size. They stand around (page, row). */
  #evacuate(segment: Segment, page: number, row: number): void {
    const target = this.#allocate(segment.held)
    const { pages } = this.index
    const move = (rows: Rows, row: number): void => {
      const at = rows.at(row)
      const { words } = rows
      if (words[at + SEGMENT] !== segment.id) return
      const length = words[at + END] - words[at + OFFSET]
      segment.bytes.copy(target.bytes, target.used, words[at + OFFSET], words[at + END])
      words[at + SEGMENT] = target.id
      words[at + OFFSET] = target.used
      target.used += length
      words[at + END] = target.used
      target.held += length
      target.nodes++
    }
    const missing = segment.nodes
    for (let p = page, r = row; p < pages.length && target.nodes < missing; p++, r = 0) {
      for (; r < pages[p].size && target.nodes < missing; r++) move(pages[p], r)
    }
    let [p, r] = [page, row]
    while (target.nodes < missing && (p > 0 || r > 0)) {
      if (r === 0) r = pages[--p].size
      move(pages[p], --r)
    }
    this.#drop(segment)
    if (this.#tail === segment) this.#tail = null
  }

  #segment(id: number): Segment {
    return this.#segments.get(id) as Segment
  }
}

export interface NodePlace {
  bytes: Buffer
  offset: number
  end: number
}

const NOTHING = Buffer.alloc(0)
const SEGMENT_LEAST = 1 << 10
const SEGMENT_MOST = 1 << 20
/** Smaller segments are not worth copying together. */
const SPARSE_LEAST = 16 << 10
/** What a segment costs beside its bytes: the object, the Buffer and its place in the map. */
const SEGMENT_OVERHEAD = 300
