/** Something that is being opened while the rest already runs. `ready` rejects when it cannot be had. */
export class Later<T> {
  current: T | undefined
  readonly ready: Promise<T>

  constructor(ready: Promise<T>) {
    this.ready = ready.then((value) => (this.current = value))
    // Whoever awaits `ready` learns of the failure; nobody has to.
    this.ready.catch(() => undefined)
  }
}
