/**
 * A map from names to values whose elements also lie densely in two arrays, so that a random one is found in O(1) and a
 * scan needs no state on this side:
 *
 *     index:  name → i        keys: [name₀ name₁ … nameₙ₋₁]        values: [value₀ value₁ … valueₙ₋₁]
 *
 * A scan walks i downwards and elements only ever move downwards (the last one fills the hole of a deleted one), so an
 * element that is there from the beginning of a scan to its end is never missed; one that moves may be seen twice.
 */
export class Table<V> {
  readonly keys: string[] = []
  readonly values: V[] = []
  readonly #index = new Map<string, number>()

  get size(): number {
    return this.keys.length
  }

  has(key: string): boolean {
    return this.#index.has(key)
  }

  get(key: string): V | undefined {
    const i = this.#index.get(key)
    return i === undefined ? undefined : this.values[i]
  }

  /** True when the key is new. */
  set(key: string, value: V): boolean {
    const i = this.#index.get(key)
    if (i !== undefined) {
      this.values[i] = value
      return false
    }
    this.#index.set(key, this.keys.length)
    this.keys.push(key)
    this.values.push(value)
    return true
  }

  /** Removes in O(1); `ordered` keeps the others in their order of insertion, in O(n). */
  delete(key: string, ordered = false): boolean {
    const hole = this.#index.get(key)
    if (hole === undefined) return false
    this.#index.delete(key)
    const last = this.keys.length - 1
    if (ordered && hole < last) {
      this.keys.splice(hole, 1)
      this.values.splice(hole, 1)
      for (let i = hole; i < last; i++) this.#index.set(this.keys[i], i)
      return true
    }
    const movedKey = this.keys.pop() as string
    const movedValue = this.values.pop() as V
    if (hole < last) {
      this.keys[hole] = movedKey
      this.values[hole] = movedValue
      this.#index.set(movedKey, hole)
    }
    return true
  }

  clear(): void {
    this.keys.length = 0
    this.values.length = 0
    this.#index.clear()
  }

  /**
   * Visits at most `count` elements below `cursor` (0 = from the beginning) and answers the next cursor, 0 at the end.
   * A cursor that was never handed out is taken as the place nearest to it.
   */
  scan(cursor: number, count: number, visit: (key: string, value: V) => void): number {
    let i = cursor === 0 || cursor > this.keys.length ? this.keys.length : cursor
    for (let seen = 0; i > 0 && seen < count; seen++) {
      i--
      visit(this.keys[i], this.values[i])
    }
    return i
  }
}
