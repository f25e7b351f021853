/** CLIENT PAUSE: connections hold back commands until the pause ends. Commands that hold rights to end it still run. */
export class Pause {
  /** ms since the epoch; 0 = not paused. */
  until = 0
  mode: 'all' | 'write' = 'all'
  /** Called when a pause begins, grows or ends. */
  onChange: () => void = () => {}

  /** A pause under way is never shortened, and never narrowed from `all` to `write`. */
  start(mode: 'all' | 'write', until: number, now: number): void {
    const active = this.until > now
    this.mode = active && this.mode === 'all' ? 'all' : mode
    this.until = active ? Math.max(this.until, until) : until
    this.onChange()
  }

  end(): void {
    this.until = 0
    this.onChange()
  }
}
