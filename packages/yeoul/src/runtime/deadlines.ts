import type { Clock, Timer } from './clock.js'

/** Longest sleep of the one timer; a deadline further away is looked at again then. Keeps delays within setTimeout's 2^31 − 1. */
const LONGEST_SLEEP = 3_600_000

export class Deadline {
  /** Place in the heap; −1 = not waiting. */
  index = -1
  constructor(
    readonly at: number,
    private readonly expired: (subject: never) => void,
    private readonly subject: unknown,
  ) {}

  expire(): void {
    this.expired(this.subject as never)
  }
}

/**
 * Any number of deadlines behind one timer: a binary heap by due time (monotonic ms). The timer is set again only when an
 * earlier deadline arrives; cancelling the first one lets the timer find nothing due, which is cheaper than moving it.
 */
export class Deadlines {
  private readonly heap: Deadline[] = []
  private timer: Timer | undefined
  private wakeAt = Number.POSITIVE_INFINITY

  constructor(private readonly clock: Clock) {}

  get size(): number {
    return this.heap.length
  }

  add(delay: number, expire: () => void): Deadline {
    return this.addAt(this.clock.monotonic() + delay, expire, undefined)
  }

  /** `at`: monotonic ms. One function can serve all its subjects, so that a message need not bring a closure of its own. */
  addAt<S>(at: number, expired: (subject: S) => void, subject: S): Deadline {
    const deadline = new Deadline(at, expired, subject)
    this.heap.push(deadline)
    this.rise(this.heap.length - 1, deadline)
    if (deadline.index === 0) this.wake()
    return deadline
  }

  cancel(deadline: Deadline): void {
    if (deadline.index < 0) return
    this.take(deadline.index)
  }

  clear(): void {
    for (const deadline of this.heap) deadline.index = -1
    this.heap.length = 0
    this.timer?.cancel()
    this.timer = undefined
    this.wakeAt = Number.POSITIVE_INFINITY
  }

  private wake(): void {
    const first = this.heap[0]
    if (!first || first.at >= this.wakeAt) return
    this.timer?.cancel()
    this.wakeAt = first.at
    const delay = Math.min(Math.max(0, Math.ceil(first.at - this.clock.monotonic())), LONGEST_SLEEP)
    this.timer = this.clock.setTimer(delay, () => this.fire())
  }

  private fire(): void {
    this.timer = undefined
    this.wakeAt = Number.POSITIVE_INFINITY
    const now = this.clock.monotonic()
    while (this.heap.length > 0 && this.heap[0].at <= now) {
      const due = this.heap[0]
      this.take(0)
      due.expire()
    }
    this.wake()
  }

  private take(index: number): void {
    const heap = this.heap
    heap[index].index = -1
    const last = heap.pop()!
    if (index === heap.length) return
    if (index > 0 && heap[(index - 1) >> 1].at > last.at) this.rise(index, last)
    else this.sink(index, last)
  }

  private rise(index: number, deadline: Deadline): void {
    const heap = this.heap
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (heap[parent].at <= deadline.at) break
      heap[index] = heap[parent]
      heap[index].index = index
      index = parent
    }
    heap[index] = deadline
    deadline.index = index
  }

  private sink(index: number, deadline: Deadline): void {
    const heap = this.heap
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1].at < heap[child].at) child++
      if (heap[child].at >= deadline.at) break
      heap[index] = heap[child]
      heap[index].index = index
      index = child
    }
    heap[index] = deadline
    deadline.index = index
  }
}
