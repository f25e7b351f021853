import type { Request } from './resp/request.js'
import type { Session } from './session.js'

/** Sessions in MONITOR mode: each is fed every command that runs, as one line. */
export class Monitors {
  readonly #sessions = new Set<Session>()

  get size(): number {
    return this.#sessions.size
  }

  add(session: Session): void {
    session.monitor = true
    this.#sessions.add(session)
  }

  remove(session: Session): void {
    session.monitor = false
    this.#sessions.delete(session)
  }

  /** `now` in ms since the epoch, fractions allowed. */
  feed(source: Session, request: Request, now: number): void {
    if (this.#sessions.size === 0) return
    const seconds = Math.floor(now / 1000)
    const micros = String(Math.floor((now - seconds * 1000) * 1000)).padStart(6, '0')
    let line = `${seconds}.${micros} [${source.database} ${source.address}]`
    for (let i = 0; i < request.count; i++) line += ` ${quote(request.string(i))}`
    for (const session of this.#sessions) {
      session.output.simple(line)
      session.onOutput(session)
    }
  }
}

/** A latin1 string in double quotes, everything outside printable ASCII escaped: the line stays one line. */
export function quote(text: string): string {
  let quoted = '"'
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    const code = text.charCodeAt(i)
    if (c === '"' || c === '\\') quoted += `\\${c}`
    else if (c === '\n') quoted += '\\n'
    else if (c === '\r') quoted += '\\r'
    else if (c === '\t') quoted += '\\t'
    else if (c === '\x07') quoted += '\\a'
    else if (c === '\b') quoted += '\\b'
    else if (code >= 32 && code < 127) quoted += c
    else quoted += `\\x${code.toString(16).padStart(2, '0')}`
  }
  return `${quoted}"`
}
