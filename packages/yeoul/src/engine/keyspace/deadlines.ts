/** A binary heap of (time, item), earliest first. Owners drop stale items when they surface; `size` counts them too. */
export class Deadlines<T> {
  #times: number[] = []
  #items: T[] = []

  get size(): number {
    return this.#times.length
  }

  /** The earliest time; Infinity when empty. */
  get next(): number {
    return this.#times.length === 0 ? Number.POSITIVE_INFINITY : this.#times[0]
  }

  push(time: number, item: T): void {
    const times = this.#times
    const items = this.#items
    let i = times.length
    times.push(time)
    items.push(item)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (times[parent] <= time) break
      times[i] = times[parent]
      items[i] = items[parent]
      i = parent
    }
    times[i] = time
    items[i] = item
  }

  /** Removes and answers the earliest item. */
  pop(): T | undefined {
    const times = this.#times
    const items = this.#items
    if (times.length === 0) return undefined
    const first = items[0]
    const time = times.pop() as number
    const item = items.pop() as T
    const size = times.length
    if (size === 0) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= size) break
      if (child + 1 < size && times[child + 1] < times[child]) child++
      if (times[child] >= time) break
      times[i] = times[child]
      items[i] = items[child]
      i = child
    }
    times[i] = time
    items[i] = item
    return first
  }

  /** Keeps the items for which `live(time, item)` holds. */
  filter(live: (time: number, item: T) => boolean): void {
    const times = this.#times
    const items = this.#items
    this.#times = []
    this.#items = []
    for (let i = 0; i < times.length; i++) if (live(times[i], items[i])) this.push(times[i], items[i])
  }

  clear(): void {
    this.#times = []
    this.#items = []
  }
}
