/** The engine refused: `code` is the first word of the error as Redis says it (`WRONGTYPE`, `NOGROUP`, `OOM` …). */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: string

  constructor(readonly text: string) {
    const end = text.indexOf(' ')
    super(end < 0 ? text : text.slice(end + 1))
    this.code = end < 0 ? text : text.slice(0, end)
  }

  /** Can the same call succeed later though nobody changes the request? */
  get canRetry(): boolean {
    return this.code === 'OOM' || this.code === 'MISCONF' || this.code === 'LOADING'
  }
}
