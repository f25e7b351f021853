import type { EntryId } from './entry-id.js'
import { Rows } from './rows.js'

export const PAGE_ROWS = 1024
export const NARROW = 5
export const WIDE = 7

export const TIME_LO = 2
export const TIME_HI_COUNT = 3
export const CONSUMER = 4
export const MS_HI = 5
export const SEQ_HI = 6

export const COUNT_ELSEWHERE = 0xffff
export const TWO_32 = 4294967296

/**
 * A page of a pending entries list: up to 1024 rows in ID order.
 *
 *     row:  | ms lo | seq lo | time lo | time hi 16, count 16 | consumer |            20 bytes
 *     wide: | ms lo | seq lo | time lo | time hi 16, count 16 | consumer | ms hi | seq hi |
 *
 *     time      48 bits: ms since epoch
 *     count     65535 = it is larger and stands in a map of the list
 *     consumer  its index plus one; 0 = none
 *
 * The rows of a page share the high halves of their IDs; a page that has to take an ID with others becomes wide.
 */
export class Page {
  rows: Rows
  /** High halves of all IDs; without meaning in a wide page. */
  readonly msHi: number
  readonly seqHi: number
  /** One bit for consumers whose index agrees modulo 32; unset: none of theirs is here. */
  owners = 0
  /** No delivery is older; some delivery is exactly this old when `exact`. */
  oldest = Number.POSITIVE_INFINITY
  exact = true

  constructor(id: { msHi: number; seqHi: number }, rows: Rows) {
    this.msHi = id.msHi
    this.seqHi = id.seqHi
    this.rows = rows
  }

  widen(): void {
    const narrow = this.rows
    const wide = new Rows(WIDE, PAGE_ROWS, Math.min(PAGE_ROWS, narrow.size + 4))
    for (let r = 0; r < narrow.size; r++) {
      const from = narrow.at(r)
      const to = wide.insert(r)
      for (let i = 0; i < NARROW; i++) wide.words[to + i] = narrow.words[from + i]
      wide.words[to + MS_HI] = this.msHi
      wide.words[to + SEQ_HI] = this.seqHi
    }
    this.rows = wide
  }

  /** Moves the rows from `row` on into a page of their own. */
  split(row: number): Page {
    const upper = new Page(this, this.rows.split(row))
    upper.owners = ownersOf(upper.rows)
    upper.oldest = this.oldest
    upper.exact = false
    this.owners = ownersOf(this.rows)
    this.exact = false
    return upper
  }

  /** Adds the rows of the page that follows; false when their IDs do not go together. */
  take(next: Page): boolean {
    if (next.rows.stride !== this.rows.stride) return false
    if (this.rows.stride === NARROW && (next.msHi !== this.msHi || next.seqHi !== this.seqHi)) return false
    for (let r = 0; r < next.rows.size; r++) {
      const from = next.rows.at(r)
      const to = this.rows.insert(this.rows.size)
      for (let i = 0; i < this.rows.stride; i++) this.rows.words[to + i] = next.rows.words[from + i]
    }
    this.owners |= next.owners
    this.exact = this.oldest <= next.oldest ? this.exact : next.exact
    this.oldest = Math.min(this.oldest, next.oldest)
    return true
  }
}

export function comparePage(page: Page, at: number, id: EntryId): number {
  const { words, stride } = page.rows
  if (stride === NARROW) {
    return page.msHi - id.msHi || words[at] - id.msLo || page.seqHi - id.seqHi || words[at + 1] - id.seqLo
  }
  return words[at + MS_HI] - id.msHi || words[at] - id.msLo || words[at + SEQ_HI] - id.seqHi || words[at + 1] - id.seqLo
}

export function timeOf(words: Uint32Array, at: number): number {
  return (words[at + TIME_HI_COUNT] >>> 16) * TWO_32 + words[at + TIME_LO]
}

export function countOf(words: Uint32Array, at: number): number {
  return words[at + TIME_HI_COUNT] & 0xffff
}

export function ownerBit(code: number): number {
  return 1 << (code & 31)
}

export function ownersOf(rows: Rows): number {
  let owners = 0
  for (let r = 0; r < rows.size; r++) owners |= ownerBit(rows.words[rows.at(r) + CONSUMER])
  return owners
}

export function oldestOf(rows: Rows): number {
  let oldest = Number.POSITIVE_INFINITY
  for (let r = 0; r < rows.size; r++) oldest = Math.min(oldest, timeOf(rows.words, rows.at(r)))
  return oldest
}
