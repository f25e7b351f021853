import type { Request } from './resp/request.js'
import type { Session } from './session.js'

export interface SlowCommand {
  readonly id: number
  /** Seconds since the epoch. */
  readonly at: number
  readonly microseconds: number
  /** latin1, shortened: at most 32 arguments of at most 128 bytes. */
  readonly args: readonly string[]
  readonly address: string
  readonly name: string
}

const MAX_ARGUMENTS = 32
const MAX_LENGTH = 128

/** The latest commands that took longer than slowlog-log-slower-than, newest first. */
export class SlowLog {
  #entries: SlowCommand[] = []
  #nextId = 0

  get length(): number {
    return this.#entries.length
  }

  /** `now` in ms since the epoch; `limit` is slowlog-max-len. */
  record(session: Session, request: Request, microseconds: number, now: number, limit: number): void {
    if (limit > 0) {
      this.#entries.unshift({
        id: this.#nextId,
        at: Math.floor(now / 1000),
        microseconds: Math.round(microseconds),
        args: shorten(request),
        address: session.address,
        name: session.name,
      })
    }
    this.#nextId++
    if (this.#entries.length > limit) this.#entries.length = limit
  }

  latest(count: number): readonly SlowCommand[] {
    return this.#entries.slice(0, count)
  }

  reset(): void {
    this.#entries = []
  }
}

function shorten(request: Request): string[] {
  const shown = Math.min(request.count, MAX_ARGUMENTS)
  const args: string[] = []
  for (let i = 0; i < shown; i++) {
    if (i === MAX_ARGUMENTS - 1 && request.count > MAX_ARGUMENTS) {
      args.push(`... (${request.count - MAX_ARGUMENTS + 1} more arguments)`)
    } else if (request.length(i) > MAX_LENGTH) {
      const start = request.start(i)
      const more = request.length(i) - MAX_LENGTH
      args.push(`${request.bytes.toString('latin1', start, start + MAX_LENGTH)}... (${more} more bytes)`)
    } else args.push(request.string(i))
  }
  return args
}
