/** Counters behind INFO. Reset by CONFIG RESETSTAT; the rates are sampled by whoever runs the server's sweep. */
export class Stats {
  commands = 0
  connections = 0
  rejectedConnections = 0
  netInput = 0
  netOutput = 0
  expired = 0
  hits = 0
  misses = 0
  errorReplies = 0
  queryBufferDisconnections = 0
  outputBufferDisconnections = 0
  peakMemory = 0
  /** By `xadd`, or `xgroup|create` for a subcommand. */
  readonly perCommand = new Map<string, CommandStats>()
  /** By the first word of the error: `ERR`, `WRONGTYPE`. Bounded: a script of a peer cannot grow it. */
  readonly errors = new Map<string, number>()

  #sampledAt = 0
  #sampled = { commands: 0, input: 0, output: 0 }
  /** Of the latest sampling interval, per second. */
  rates = { commands: 0, input: 0, output: 0 }

  of(name: string): CommandStats {
    let stats = this.perCommand.get(name)
    if (stats === undefined) this.perCommand.set(name, (stats = new CommandStats()))
    return stats
  }

  /** An error reply went out; `text` begins with its code. */
  error(text: string): void {
    this.errorReplies++
    const end = text.indexOf(' ')
    const code = end < 0 ? text : text.slice(0, end)
    if (this.errors.has(code) || this.errors.size < 128) this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
  }

  /** Call about once a second with a monotonic clock in ms. */
  sample(now: number): void {
    const seconds = (now - this.#sampledAt) / 1000
    if (this.#sampledAt > 0 && seconds > 0) {
      this.rates = {
        commands: Math.round((this.commands - this.#sampled.commands) / seconds),
        input: (this.netInput - this.#sampled.input) / seconds,
        output: (this.netOutput - this.#sampled.output) / seconds,
      }
    }
    this.#sampledAt = now
    this.#sampled = { commands: this.commands, input: this.netInput, output: this.netOutput }
  }

  reset(): void {
    this.commands = this.connections = this.rejectedConnections = 0
    this.netInput = this.netOutput = 0
    this.expired = this.hits = this.misses = this.errorReplies = 0
    this.queryBufferDisconnections = this.outputBufferDisconnections = 0
    this.perCommand.clear()
    this.errors.clear()
    this.#sampled = { commands: 0, input: 0, output: 0 }
  }
}

export class CommandStats {
  calls = 0
  microseconds = 0
  /** Calls by how long they took: of slot i below 1024 · 2^i ns, and not below half of that. */
  readonly durations = new Uint32Array(33)
  /** Refused before the handler ran: arity, rights, memory. */
  rejected = 0
  /** The handler answered an error. */
  failed = 0

  /** Counts a call of the handler. */
  took(microseconds: number): void {
    this.calls++
    this.microseconds += microseconds
    this.durations[32 - Math.clz32(microseconds / 1.024)]++
  }
}
