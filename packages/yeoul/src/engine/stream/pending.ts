import type { Consumer } from './consumer.js'
import { EntryId } from './entry-id.js'
import {
  CONSUMER,
  COUNT_ELSEWHERE,
  comparePage,
  countOf,
  MS_HI,
  NARROW,
  oldestOf,
  ownerBit,
  ownersOf,
  PAGE_ROWS,
  Page,
  SEQ_HI,
  TIME_HI_COUNT,
  TIME_LO,
  TWO_32,
  timeOf,
  WIDE,
} from './pending-page.js'
import { Rows, SMALL } from './rows.js'

/** An entry that was delivered and is not acknowledged. A reader makes one and has it filled again and again. */
export class PendingEntry {
  readonly id = new EntryId()
  /** Null: given back by its consumer, nobody has it. */
  consumer: Consumer | null = null
  /** Last delivery, ms since epoch; 0 = given back, due at once. */
  deliveryTime = 0
  deliveryCount = 0
}

export interface WalkOptions {
  /** Only this consumer's. */
  consumer?: Consumer
  /** Only those delivered at this time (ms since epoch) or before. */
  minIdleBefore?: number
}

/**
 * The pending entries list of a group, in ID order, in pages that share the high halves of their IDs. Each page knows
 * which consumers it may hold and a bound of its oldest delivery, so that walks can pass it by.
 */
export class PendingList {
  size = 0
  readonly #pages: Page[] = []
  /** By Consumer.index. */
  readonly #consumers: Consumer[] = []
  /** Delivery counts that do not fit a row, by ID. */
  readonly #counts = new Map<string, number>()
  /** Rows of a page that has emptied: a group that is read and acknowledged batch by batch needs them again. */
  #spare: Rows | null = null
  /** Changes when rows come, go or move. */
  #version = 0
  /** Where #locate found its ID, or where it would have to be put. */
  #page = 0
  #row = 0

  /**
   * Inserts or overwrites; keeps Consumer.pending right. True when the entry is new.
   * RangeError unless deliveryTime is in [0, 2^48).
   */
  set(id: EntryId, consumer: Consumer | null, deliveryTime: number, deliveryCount: number): boolean {
    if (!(deliveryTime >= 0 && deliveryTime < TIME_END)) {
      throw new RangeError(`delivery time ${deliveryTime} is not in milliseconds since the epoch`)
    }
    const found = this.#locate(id)
    if (found) {
      const page = this.#pages[this.#page]
      const owner = this.#owner(page.rows.words[page.rows.at(this.#row) + CONSUMER])
      if (owner !== consumer) {
        if (owner !== null) owner.pending--
        if (consumer !== null) consumer.pending++
      }
    } else {
      this.#insert(id)
      this.size++
      if (consumer !== null) consumer.pending++
    }
    this.#write(this.#pages[this.#page], this.#row, id, consumer, deliveryTime, deliveryCount, !found)
    return !found
  }

  get(id: EntryId, out: PendingEntry): boolean {
    if (!this.#locate(id)) return false
    this.#read(this.#page, this.#row, out)
    return true
  }

  delete(id: EntryId): boolean {
    if (!this.#locate(id)) return false
    this.#remove(this.#page, this.#row)
    return true
  }

  first(out: PendingEntry): boolean {
    if (this.size === 0) return false
    this.#read(0, 0, out)
    return true
  }

  last(out: PendingEntry): boolean {
    if (this.size === 0) return false
    const page = this.#pages.length - 1
    this.#read(page, this.#pages[page].rows.size - 1, out)
    return true
  }

  /**
   * Visits the entries from `from` on, in ID order. The entry is reused; what the visitor changes of its consumer,
   * deliveryTime and deliveryCount is stored, unless it answers 'delete'. The visitor may also use the list itself.
   */
  walk(from: EntryId, visit: (entry: PendingEntry) => 'next' | 'delete' | 'stop', options: WalkOptions = {}): void {
    const { consumer, minIdleBefore = Number.POSITIVE_INFINITY } = options
    if (consumer !== undefined && this.#consumers[consumer.index] !== consumer) return
    const wanted = consumer === undefined ? 0 : consumer.index + 1
    const entry = new PendingEntry()
    this.#locate(from)
    let p = this.#page
    let r = this.#row
    /** No row of the page so far was the consumer's, and all were looked at. */
    let none = false
    while (p < this.#pages.length) {
      const page = this.#pages[p]
      if (r === 0) {
        none = true
        if (page.oldest > minIdleBefore || (wanted !== 0 && (page.owners & ownerBit(wanted)) === 0)) {
          p++
          continue
        }
      }
      if (r >= page.rows.size) {
        if (none && wanted !== 0) page.owners = ownersOf(page.rows)
        none = false
        p++
        r = 0
        continue
      }
      const { words } = page.rows
      const at = page.rows.at(r)
      if (wanted !== 0) {
        if (words[at + CONSUMER] !== wanted) {
          r++
          continue
        }
        none = false
      }
      if (timeOf(words, at) > minIdleBefore) {
        r++
        continue
      }

      this.#read(p, r, entry)
      const { consumer: owner, deliveryTime, deliveryCount } = entry
      const version = this.#version
      const answer = visit(entry)
      if (answer === 'delete') {
        this.delete(entry.id)
      } else if (
        entry.consumer !== owner ||
        entry.deliveryTime !== deliveryTime ||
        entry.deliveryCount !== deliveryCount
      ) {
        this.set(entry.id, entry.consumer, entry.deliveryTime, entry.deliveryCount)
      }
      if (answer === 'stop') return
      if (this.#version === version) {
        r++
      } else {
        // Rows have moved: go on behind this ID, wherever that is now.
        r = this.#locate(entry.id) ? this.#row + 1 : this.#row
        p = this.#page
        none = false
      }
    }
  }

  /** Drops all that is this consumer's, and returns how many entries that was. */
  deleteConsumer(consumer: Consumer): number {
    if (this.#consumers[consumer.index] !== consumer) return 0
    const code = consumer.index + 1
    let dropped = 0
    for (let p = this.#pages.length - 1; p >= 0; p--) {
      const page = this.#pages[p]
      if ((page.owners & ownerBit(code)) === 0) continue
      const { rows } = page
      const { words, stride } = rows
      let kept = 0
      for (let r = 0; r < rows.size; r++) {
        const at = rows.at(r)
        if (words[at + CONSUMER] === code) {
          if (countOf(words, at) === COUNT_ELSEWHERE) this.#counts.delete(this.#id(page, at).toString())
          continue
        }
        if (kept !== r) words.copyWithin(rows.at(kept), at, at + stride)
        kept++
      }
      dropped += rows.size - kept
      rows.truncate(kept)
      page.owners = ownersOf(rows)
      page.exact = false
      this.#tidy(p)
    }
    this.size -= dropped
    consumer.pending -= dropped
    this.#version++
    return dropped
  }

  /** The smallest delivery time, ms since epoch; null when the list is empty. */
  oldestDelivery(): number | null {
    let oldest = Number.POSITIVE_INFINITY
    for (const page of this.#pages) {
      if (page.oldest >= oldest) continue
      if (!page.exact) {
        page.oldest = oldestOf(page.rows)
        page.exact = true
      }
      oldest = Math.min(oldest, page.oldest)
    }
    return this.size === 0 ? null : oldest
  }

  clear(): void {
    for (const consumer of this.#consumers) if (consumer !== undefined) consumer.pending = 0
    this.#pages.length = 0
    this.#counts.clear()
    this.size = 0
    this.#version++
  }

  /** Bytes held. */
  memory(): number {
    let bytes = this.#counts.size * COUNT_SIZE + (this.#spare?.bytes ?? 0)
    for (const page of this.#pages) bytes += page.rows.bytes + PAGE_OVERHEAD
    return bytes
  }

  /** Sets #page and #row to the entry, or to where it belongs. */
  #locate(id: EntryId): boolean {
    const pages = this.#pages
    const last = pages.length - 1
    if (last < 0) {
      this.#page = this.#row = 0
      return false
    }
    const { rows: tail } = pages[last]
    if (comparePage(pages[last], tail.at(tail.size - 1), id) < 0) {
      this.#page = last
      this.#row = tail.size
      return false
    }

    let p = this.#page
    if (!this.#covers(p, id)) {
      let low = 1
      let high = pages.length
      while (low < high) {
        const middle = (low + high) >> 1
        if (comparePage(pages[middle], pages[middle].rows.at(0), id) <= 0) low = middle + 1
        else high = middle
      }
      p = low - 1
    }
    const page = pages[p]
    const { rows } = page
    let low = 0
    let high = rows.size
    // Whoever acknowledges in order asks for the row after the last one, which a deletion has moved to its place.
    const near = p === this.#page && this.#row < high ? this.#row : 0
    const order = comparePage(page, rows.at(near), id)
    if (order === 0) {
      low = high = near
    } else if (order < 0) {
      low = near + 1
    } else {
      high = near
    }
    while (low < high) {
      const middle = (low + high) >> 1
      if (comparePage(page, rows.at(middle), id) < 0) low = middle + 1
      else high = middle
    }
    this.#page = p
    this.#row = low
    return low < rows.size && (order === 0 || comparePage(page, rows.at(low), id) === 0)
  }

  /** Does the entry, if anywhere, stand in page `p`? */
  #covers(p: number, id: EntryId): boolean {
    const pages = this.#pages
    if (p >= pages.length) return false
    if (p > 0 && comparePage(pages[p], pages[p].rows.at(0), id) > 0) return false
    return p + 1 === pages.length || comparePage(pages[p + 1], pages[p + 1].rows.at(0), id) > 0
  }

  /** Makes a row for the ID at (#page, #row). */
  #insert(id: EntryId): void {
    const pages = this.#pages
    let page = pages[this.#page]
    this.#version++
    if (page === undefined) {
      page = new Page(id, this.#spare ?? new Rows(NARROW, PAGE_ROWS))
      this.#spare = null
      pages.push(page)
    } else if (this.#page === pages.length - 1 && this.#row === page.rows.size && page.rows.exhausted) {
      page = new Page(id, new Rows(NARROW, PAGE_ROWS, PAGE_ROWS / 4))
      pages.push(page)
      this.#page++
      this.#row = 0
    } else if (page.rows.size === PAGE_ROWS) {
      const half = PAGE_ROWS / 2
      const upper = page.split(half)
      pages.splice(this.#page + 1, 0, upper)
      if (this.#row > half) {
        page = upper
        this.#page++
        this.#row -= half
      }
    }
    if (page.rows.stride === NARROW && (id.msHi !== page.msHi || id.seqHi !== page.seqHi)) page.widen()
    const at = page.rows.insert(this.#row)
    const { words } = page.rows
    words[at] = id.msLo
    words[at + 1] = id.seqLo
    if (page.rows.stride === WIDE) {
      words[at + MS_HI] = id.msHi
      words[at + SEQ_HI] = id.seqHi
    }
  }

  #write(
    page: Page,
    row: number,
    id: EntryId,
    consumer: Consumer | null,
    time: number,
    count: number,
    fresh: boolean,
  ): void {
    const { words } = page.rows
    const at = page.rows.at(row)
    if (!fresh) {
      if (countOf(words, at) === COUNT_ELSEWHERE && count < COUNT_ELSEWHERE) this.#counts.delete(id.toString())
      if (time > page.oldest && timeOf(words, at) === page.oldest) page.exact = false
    }
    let code = 0
    if (consumer !== null) {
      this.#consumers[consumer.index] = consumer
      code = consumer.index + 1
    }
    const small = count < COUNT_ELSEWHERE
    if (!small) this.#counts.set(id.toString(), count)
    words[at + TIME_LO] = time >>> 0
    words[at + TIME_HI_COUNT] = Math.floor(time / TWO_32) * 0x10000 + (small ? count : COUNT_ELSEWHERE)
    words[at + CONSUMER] = code
    page.owners |= ownerBit(code)
    if (time < page.oldest) page.oldest = time
  }

  #read(p: number, r: number, out: PendingEntry): void {
    const page = this.#pages[p]
    const { words } = page.rows
    const at = page.rows.at(r)
    out.id.set(this.#id(page, at))
    out.consumer = this.#owner(words[at + CONSUMER])
    out.deliveryTime = timeOf(words, at)
    const count = countOf(words, at)
    out.deliveryCount = count === COUNT_ELSEWHERE ? (this.#counts.get(out.id.toString()) as number) : count
  }

  #remove(p: number, r: number): void {
    const page = this.#pages[p]
    const { words } = page.rows
    const at = page.rows.at(r)
    const owner = this.#owner(words[at + CONSUMER])
    if (owner !== null) owner.pending--
    if (countOf(words, at) === COUNT_ELSEWHERE) this.#counts.delete(this.#id(page, at).toString())
    if (timeOf(words, at) === page.oldest) page.exact = false
    page.rows.remove(r)
    this.size--
    this.#version++
    if (page.rows.size <= PAGE_FEW) this.#tidy(p)
  }

  /** Drops a page that is empty, and joins one that has few rows with a neighbour that has room. */
  #tidy(p: number): void {
    const pages = this.#pages
    const page = pages[p]
    if (page.rows.size === 0) {
      pages.splice(p, 1)
      if (page.rows.stride === NARROW && page.rows.bytes <= SMALL) this.#spare = page.rows
      return
    }
    if (page.rows.size > PAGE_FEW) return
    if (p > 0 && pages[p - 1].rows.size + page.rows.size <= PAGE_ROWS / 2 && pages[p - 1].take(page)) {
      pages.splice(p, 1)
    } else if (p + 1 < pages.length && page.rows.size + pages[p + 1].rows.size <= PAGE_ROWS / 2) {
      if (page.take(pages[p + 1])) pages.splice(p + 1, 1)
    }
  }

  #owner(code: number): Consumer | null {
    return code === 0 ? null : this.#consumers[code - 1]
  }

  /** The ID of a row; reused. */
  #id(page: Page, at: number): EntryId {
    const { words, stride } = page.rows
    const id = this.#scratch
    id.msHi = stride === WIDE ? words[at + MS_HI] : page.msHi
    id.msLo = words[at]
    id.seqHi = stride === WIDE ? words[at + SEQ_HI] : page.seqHi
    id.seqLo = words[at + 1]
    return id
  }

  readonly #scratch = new EntryId()
}

/** A page with no more rows than this looks for a neighbour. */
const PAGE_FEW = 64
const TIME_END = 2 ** 48
/** Object, typed array and buffer of a page; map slot and key of a large count (measured on Node 20). */
const PAGE_OVERHEAD = 400
const COUNT_SIZE = 150
