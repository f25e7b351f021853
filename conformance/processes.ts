import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** A process under test: what it prints can be awaited, and it ends with the test. */
export class Running {
  output = ''
  readonly #waiting = new Set<() => void>()

  constructor(readonly child: ChildProcess) {
    const keep = (chunk: Buffer) => {
      this.output = (this.output + chunk).slice(-100_000)
      for (const check of [...this.#waiting]) check()
    }
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    child.on('exit', () => {
      for (const check of [...this.#waiting]) check()
    })
  }

  static start(file: string, args: readonly string[], environment: Record<string, string> = {}, cwd?: string): Running {
    return new Running(
      spawn(file, args, { env: { ...process.env, ...environment }, cwd, stdio: ['ignore', 'pipe', 'pipe'] }),
    )
  }

  /** Resolves with the match once the output has it; rejects with the output when the process ends first. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output)
      if (match !== null) return match
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(
          `ended (${this.child.exitCode ?? this.child.signalCode}) without printing ${pattern}:\n${this.output}`,
        )
      }
      await new Promise<void>((resolve) => {
        const check = () => {
          this.#waiting.delete(check)
          resolve()
        }
        this.#waiting.add(check)
      })
    }
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exit = once(this.child, 'exit')
      this.child.kill(signal)
      await exit
    }
    return this.child.exitCode
  }
}
