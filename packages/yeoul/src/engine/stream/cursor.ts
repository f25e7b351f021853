import { EntryReader } from './entry.js'
import { EntryId } from './entry-id.js'
import type { EntryLog } from './log.js'
import { END } from './node-index.js'

/**
 * Walks the live entries of a log in either direction without allocating. The log may change meanwhile: entries
 * appended are found, entries deleted or trimmed are not; the cursor goes on from the entry it gave last, whether or
 * not that one still exists. A new cursor stands before the first entry for next() and behind the last for previous().
 *
 * `bytes[start, end)` is the entry's field list in RESP wire form (2 × fieldCount bulk strings). The memory is never
 * written again, so it may be sent later, also when the entry is gone by then. `id` is reused: copy it to keep it.
 * When next() or previous() answers false, `id` and the rest still describe the entry given last.
 */
export class Cursor {
  readonly id = new EntryId()
  bytes: Buffer = NOTHING
  start = 0
  end = 0
  /** Pairs of field and value. */
  fieldCount = 0

  readonly #log: EntryLog
  readonly #reader = new EntryReader()
  /** Where to go on: at this ID itself, or beside it once an entry was given. */
  readonly #anchor = new EntryId()
  #inclusive = true
  #sought = false

  /** The place below holds for this version of the log and this direction only. */
  #version = -1
  #direction: 'none' | 'forward' | 'backward' = 'none'
  #page = 0
  #row = 0
  #node: Buffer = NOTHING
  /** Forward: the offset of the entry to read next. */
  #offset = 0
  /** Backward: offsets of the node's entries that are still to give, the next one last. */
  #offsets = new Uint32Array(0)
  #left = 0

  constructor(log: EntryLog) {
    this.#log = log
  }

  /** next() then gives the first live entry ≥ id, previous() the last live entry ≤ id. */
  seek(id: EntryId): void {
    this.#anchor.set(id)
    this.#inclusive = true
    this.#sought = true
    this.#direction = 'none'
  }

  next(): boolean {
    const log = this.#log
    if (this.#direction !== 'forward' || this.#version !== log.version) {
      if (!this.#placeForward()) return false
    }
    const { pages } = log.index
    const reader = this.#reader
    for (;;) {
      const rows = pages[this.#page]
      const end = rows.words[rows.at(this.#row) + END]
      while (this.#offset < end) {
        reader.read(this.#node, this.#offset)
        this.#offset = reader.end
        if (reader.live) return this.#give()
      }
      if (this.#row + 1 < rows.size) this.#row++
      else if (this.#page + 1 < pages.length) {
        this.#page++
        this.#row = 0
      } else {
        // An entry added later may still be below the ID sought.
        if (this.#inclusive) this.#direction = 'none'
        return false
      }
      this.#offset = this.#enter()
    }
  }

  previous(): boolean {
    const log = this.#log
    if (this.#direction !== 'backward' || this.#version !== log.version) {
      if (!this.#placeBackward()) return false
    }
    const { pages } = log.index
    const reader = this.#reader
    for (;;) {
      while (this.#left > 0) {
        reader.read(this.#node, this.#offsets[--this.#left])
        if (reader.live) return this.#give()
      }
      if (this.#row > 0) this.#row--
      else if (this.#page > 0) this.#row = pages[--this.#page].size - 1
      else return false
      this.#enter()
      this.#collect(LAST, true)
    }
  }

  #give(): true {
    const reader = this.#reader
    this.id.set(reader.id)
    this.#anchor.set(reader.id)
    this.#inclusive = false
    this.#sought = true
    this.bytes = this.#node
    this.start = reader.start
    this.end = reader.end
    this.fieldCount = reader.fieldCount
    return true
  }

  #placeForward(): boolean {
    const { index, version } = this.#log
    if (index.count === 0) return false
    const found = index.floor(this.#anchor)
    this.#page = found ? index.page : 0
    this.#row = found ? index.row : 0
    this.#offset = this.#enter()
    const reader = this.#reader
    const { end } = this.#log.node(this.#page, this.#row)
    while (this.#offset < end) {
      reader.read(this.#node, this.#offset)
      const order = reader.id.compare(this.#anchor)
      if (order > 0 || (order === 0 && this.#inclusive)) break
      this.#offset = reader.end
    }
    this.#version = version
    this.#direction = 'forward'
    return true
  }

  #placeBackward(): boolean {
    const { index, version } = this.#log
    const anchor = this.#sought ? this.#anchor : LAST
    if (!index.floor(anchor)) return false
    this.#page = index.page
    this.#row = index.row
    this.#enter()
    this.#collect(anchor, this.#inclusive)
    this.#version = version
    this.#direction = 'backward'
    return true
  }

  /** Goes to the node at (#page, #row); returns where its entries begin. */
  #enter(): number {
    this.#log.enter(this.#page, this.#row, this.#reader)
    const { bytes, offset } = this.#log.node(this.#page, this.#row)
    this.#node = bytes
    return offset
  }

  /** Notes where the node's live entries up to `last` begin. */
  #collect(last: EntryId, inclusive: boolean): void {
    const { offset, end } = this.#log.node(this.#page, this.#row)
    const reader = this.#reader
    let count = 0
    for (let at = offset; at < end; at = reader.end) {
      reader.read(this.#node, at)
      const order = reader.id.compare(last)
      if (order > 0 || (order === 0 && !inclusive)) break
      if (!reader.live) continue
      if (count === this.#offsets.length) {
        const larger = new Uint32Array(Math.max(128, count * 2))
        larger.set(this.#offsets)
        this.#offsets = larger
      }
      this.#offsets[count++] = at
    }
    this.#left = count
  }
}

const NOTHING = Buffer.alloc(0)
const LAST = EntryId.max()
