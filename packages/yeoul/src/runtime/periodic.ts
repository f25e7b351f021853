import type { Clock, Timer } from './clock.js'

/**
 * Runs a task again and again, never twice at a time: each pause begins when the task has ended, and varies by ±20 % so that
 * many processes do not march in step. What the task throws goes to `onError`; it never ends the series.
 */
export class Periodic {
  private timer: Timer | undefined
  private running: Promise<void> | undefined
  private again = false
  private stopped = true

  constructor(
    private readonly clock: Clock,
    private readonly interval: number,
    private readonly task: () => Promise<void>,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** `immediately`: the first run is now, not after the first pause. */
  start(immediately = false): void {
    this.stopped = false
    if (immediately) this.run()
    else this.sleep()
  }

  /** Runs now, or once more right after the run under way. */
  poke(): void {
    if (this.stopped) return
    if (this.running) this.again = true
    else this.run()
  }

  /** No run begins after this; resolves when the one under way has ended. */
  async stop(): Promise<void> {
    this.stopped = true
    this.timer?.cancel()
    await this.running
  }

  private sleep(): void {
    this.timer = this.clock.setTimer(this.interval * (0.8 + 0.4 * Math.random()), () => this.run())
  }

  private run(): void {
    this.timer?.cancel()
    this.again = false
    this.running = this.task()
      .catch(this.onError)
      .then(() => {
        this.running = undefined
        if (this.stopped) return
        if (this.again) this.run()
        else this.sleep()
      })
  }
}
