/**
 * A short run of fixed-width rows of unsigned 32-bit words in one typed array: the leaf from which the node index and
 * the pending entries list are built. Taking rows from the front and adding them at the back is O(1) amortised; in the
 * middle the shorter side moves. The array follows the number of rows: it doubles when full and shrinks when half empty.
 *
 *     words:  | free | row 0 | row 1 | … | row size-1 | free |
 *                    ^ head * stride
 */
export class Rows {
  words: Uint32Array
  size = 0
  #head = 0
  #capacity: number

  /** `stride` words a row; `most` rows at most (the owner splits or opens another run before exceeding it). */
  constructor(
    readonly stride: number,
    readonly most: number,
    capacity = LEAST,
  ) {
    this.#capacity = capacity
    this.words = new Uint32Array(capacity * stride)
  }

  /** Where row `row` begins in `words`; valid until the next insert, remove or truncate. */
  at(row: number): number {
    return (this.#head + row) * this.stride
  }

  /** No row can be added at the back without moving more than half of a run: time for another run. */
  get exhausted(): boolean {
    if (this.#head + this.size < this.#capacity) return false
    return this.#capacity >= this.most && this.size > this.most / 2
  }

  get bytes(): number {
    return this.words.byteLength
  }

  /** Opens a gap before `row` (0…size) and returns where it begins; what it holds is undefined. */
  insert(row: number): number {
    const { stride, words } = this
    const head = this.#head
    if (head > 0 && row < this.size >> 1) {
      words.copyWithin((head - 1) * stride, head * stride, (head + row) * stride)
      this.#head = head - 1
    } else {
      if (head + this.size === this.#capacity) {
        if (this.size >= this.most) throw new RangeError(`a run holds at most ${this.most} rows`)
        const roomy = this.size <= this.#capacity >> 1 || this.#capacity >= this.most
        this.#move(head > 0 && roomy ? this.#capacity : Math.min(this.#capacity * 2, this.most))
      }
      if (row < this.size) {
        const at = this.at(row)
        this.words.copyWithin(at + stride, at, this.at(this.size))
      }
    }
    this.size++
    return this.at(row)
  }

  remove(row: number): void {
    const { stride, words } = this
    if (row < this.size >> 1) {
      if (row > 0) words.copyWithin((this.#head + 1) * stride, this.#head * stride, this.at(row))
      this.#head++
    } else if (row < this.size - 1) {
      words.copyWithin(this.at(row), this.at(row + 1), this.at(this.size))
    }
    this.truncate(this.size - 1)
  }

  /** Keeps the first `size` rows. */
  truncate(size: number): void {
    this.size = size
    if (size === 0) this.#head = 0
    if (size * 2 <= this.#capacity && this.bytes > SMALL) {
      this.#move(Math.max(SMALL / 4 / this.stride, size + (size >> 2)) | 0)
    }
  }

  /** Gives the rows from `row` on to a run of their own. */
  split(row: number): Rows {
    const count = this.size - row
    const upper = new Rows(this.stride, this.most, Math.max(LEAST, count))
    upper.words.set(this.words.subarray(this.at(row), this.at(this.size)))
    upper.size = count
    this.truncate(row)
    return upper
  }

  /** Moves the rows to the front of an array of `capacity` rows. */
  #move(capacity: number): void {
    const from = this.at(0)
    const to = this.at(this.size)
    if (capacity === this.#capacity) {
      this.words.copyWithin(0, from, to)
    } else {
      const words = new Uint32Array(capacity * this.stride)
      words.set(this.words.subarray(from, to))
      this.words = words
      this.#capacity = capacity
    }
    this.#head = 0
  }
}

const LEAST = 4
/** Bytes below which shrinking saves less than growing again costs. */
export const SMALL = 4096
