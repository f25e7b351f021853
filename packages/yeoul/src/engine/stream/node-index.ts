import type { EntryId } from './entry-id.js'
import { Rows } from './rows.js'

/**
 * Where each node is: one row a node, in ID order, in pages of up to 256 rows. Ten million entries are half a million
 * rows but only two thousand pages, so there is next to nothing here for the garbage collector to walk.
 *
 *     row: | base ms hi | base ms lo | base seq hi | base seq lo | segment | offset | end | live | total |
 */
export const SEGMENT = 4
/** The node's bytes are segment[OFFSET, END). */
export const OFFSET = 5
export const END = 6
/** Entries that are there; entries with the tombstones. */
export const LIVE = 7
export const TOTAL = 8

const STRIDE = 9
const PAGE_ROWS = 256

export class NodeIndex {
  readonly pages: Rows[] = []
  /** Nodes in all pages. */
  count = 0
  /** Set by `floor`. */
  page = 0
  row = 0

  /** Adds a row behind all others and returns its page; the row begins at page.at(page.size - 1). */
  push(base: EntryId): Rows {
    let page = this.pages[this.pages.length - 1]
    if (page === undefined || page.exhausted) {
      page = new Rows(STRIDE, PAGE_ROWS, this.count === 0 ? 4 : PAGE_ROWS)
      this.pages.push(page)
    }
    const at = page.insert(page.size)
    const { words } = page
    words[at] = base.msHi
    words[at + 1] = base.msLo
    words[at + 2] = base.seqHi
    words[at + 3] = base.seqLo
    this.count++
    return page
  }

  remove(page: number, row: number): void {
    const rows = this.pages[page]
    rows.remove(row)
    this.count--
    if (rows.size === 0) this.pages.splice(page, 1)
  }

  /** Sets `page` and `row` to the last node whose base is not above `id`; false when there is none. */
  floor(id: EntryId): boolean {
    let low = 0
    let high = this.pages.length
    while (low < high) {
      const middle = (low + high) >> 1
      const page = this.pages[middle]
      if (compareBase(page.words, page.at(0), id) <= 0) low = middle + 1
      else high = middle
    }
    if (low === 0) return false
    const page = this.pages[low - 1]
    this.page = low - 1
    low = 0
    high = page.size
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareBase(page.words, page.at(middle), id) <= 0) low = middle + 1
      else high = middle
    }
    this.row = low - 1
    return true
  }

  bytes(): number {
    let bytes = 0
    for (const page of this.pages) bytes += page.bytes + PAGE_OVERHEAD
    return bytes
  }
}

export function readBase(words: Uint32Array, at: number, out: EntryId): void {
  out.msHi = words[at]
  out.msLo = words[at + 1]
  out.seqHi = words[at + 2]
  out.seqLo = words[at + 3]
}

export function compareBase(words: Uint32Array, at: number, id: EntryId): number {
  return words[at] - id.msHi || words[at + 1] - id.msLo || words[at + 2] - id.seqHi || words[at + 3] - id.seqLo
}

/** What a page costs beside its words: the object, the typed array and its buffer (measured on Node 20). */
const PAGE_OVERHEAD = 300
