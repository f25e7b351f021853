/** `rate` tokens a second, at most `burst` saved up. */
export interface Rate {
  rate: number
  burst: number
}

export class TokenBucket {
  readonly #limit: Rate
  #tokens: number
  #at: number

  constructor(limit: Rate, now: number) {
    this.#limit = limit
    this.#tokens = limit.burst
    this.#at = now
  }

  /** 0 = taken; otherwise the ms after which one token will be there. */
  take(now: number): number {
    const { rate, burst } = this.#limit
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) / 1000) * rate)
    this.#at = now
    if (this.#tokens < 1) return Math.ceil(((1 - this.#tokens) / rate) * 1000)
    this.#tokens--
    return 0
  }
}
