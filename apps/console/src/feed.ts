import type { Overview } from './api.js'

export interface FeedState {
  overview: Overview | null
  /** By this browser's clock, when the overview came. */
  receivedAt: number
  /** The last request failed: why. Null after one that succeeded. */
  problem: string | null
  /** When the next request goes out; null = none is planned (refresh off, page hidden, or one is under way). */
  nextAt: number | null
}

export interface FeedOptions {
  fetchOverview: (signal: AbortSignal) => Promise<Overview>
  onChange: (state: FeedState) => void
  now?: () => number
}

const LONGEST_WAIT = 15_000
const DEADLINE = 10_000

/**
 * Asks for the overview again and again: the next request goes out `interval` after the answer to the last, so a slow server
 * is never asked twice at once. After a failure it waits longer each time. Stands still while paused.
 */
export class Feed {
  #state: FeedState = { overview: null, receivedAt: 0, problem: null, nextAt: null }
  readonly #options: FeedOptions
  #interval: number
  #failures = 0
  #paused = true
  #timer: ReturnType<typeof setTimeout> | undefined
  #underWay: AbortController | null = null

  constructor(interval: number, options: FeedOptions) {
    this.#interval = interval
    this.#options = options
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    void this.ask()
  }

  pause(): void {
    this.#paused = true
    clearTimeout(this.#timer)
    this.#underWay?.abort()
    this.#underWay = null
    this.#set({ nextAt: null })
  }

  /** In ms; 0 = only when asked. */
  every(interval: number): void {
    this.#interval = interval
    if (!this.#paused && !this.#underWay) this.#plan()
  }

  async ask(): Promise<void> {
    if (this.#underWay) return
    clearTimeout(this.#timer)
    const controller = new AbortController()
    this.#underWay = controller
    this.#set({ nextAt: null })
    const deadline = setTimeout(() => controller.abort(new Error('no answer within 10 s')), DEADLINE)
    try {
      const overview = await this.#options.fetchOverview(controller.signal)
      if (this.#underWay !== controller) return
      this.#failures = 0
      this.#set({ overview, receivedAt: this.#now(), problem: null })
    } catch (error) {
      if (this.#underWay !== controller) return
      this.#failures++
      this.#set({ problem: error instanceof Error ? error.message : String(error) })
    } finally {
      clearTimeout(deadline)
      if (this.#underWay === controller) {
        this.#underWay = null
        this.#plan()
      }
    }
  }

  #plan(): void {
    clearTimeout(this.#timer)
    if (this.#paused || this.#interval === 0) {
      this.#set({ nextAt: null })
      return
    }
    const wait =
      this.#failures === 0
        ? this.#interval
        : Math.min(LONGEST_WAIT, Math.max(1_000, this.#interval) * 2 ** Math.min(this.#failures - 1, 6))
    this.#timer = setTimeout(() => void this.ask(), wait)
    this.#set({ nextAt: this.#now() + wait })
  }

  #now(): number {
    return (this.#options.now ?? Date.now)()
  }

  #set(change: Partial<FeedState>): void {
    this.#state = { ...this.#state, ...change }
    this.#options.onChange(this.#state)
  }
}
