import { resolve } from 'node:path'

export type Language = 'en' | 'ko'

/** Where everything is; from the environment, with the defaults of `npm start`. */
export interface Settings {
  /** What the ports are bound to. */
  host: string
  port: number
  /** The log: an embedded engine with its own RESP port, or a server elsewhere. */
  log: { directory: string; respPort: number } | { url: string }
  /** The database: embedded, kept in a directory, or a PostgreSQL server. */
  database: { directory: string } | { url: string }
  /** Messages a second that one browser may send. */
  sendRate: number
}

/** A setting that cannot be meant, in one sentence. */
export class BadSetting extends Error {
  override readonly name = 'BadSetting'
  constructor(
    readonly setting: string,
    readonly given: string,
    readonly expected: string,
  ) {
    super(`${setting}=${given} cannot be used; expected ${expected}`)
  }
}

/**
 *     HOST            127.0.0.1   address to bind to
 *     PORT            3000        chat, console, metrics
 *     RESP_PORT       6390        the embedded engine, for Redis clients
 *     YEOUL_URL       (none)      redis://… instead of the embedded engine
 *     DATABASE_URL    (none)      postgres://… instead of the embedded database
 *     YEOUL_DIR       .yeoul      where embedded data is kept
 *     CHAT_SEND_RATE  10          messages a second that one browser may send (three times as many at once)
 */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const text = (name: string) => environment[name]?.trim() || undefined
  const number = (name: string, fallback: number, from: number, to: number) => {
    const given = text(name)
    if (given === undefined) return fallback
    const value = Number(given)
    if (!Number.isInteger(value) || value < from || value > to) {
      throw new BadSetting(name, given, `a whole number from ${from} to ${to}`)
    }
    return value
  }
  const port = (name: string, fallback: number) => number(name, fallback, 0, 65_535)
  const url = (name: string, schemes: readonly string[]) => {
    const given = text(name)
    if (given === undefined) return undefined
    if (!URL.canParse(given) || !schemes.includes(new URL(given).protocol)) {
      throw new BadSetting(name, withoutPassword(given), schemes.map((scheme) => `${scheme}//host:port`).join(' or '))
    }
    return given
  }
  const directory = resolve(text('YEOUL_DIR') ?? '.yeoul')
  const logUrl = url('YEOUL_URL', ['redis:', 'rediss:', 'valkey:', 'valkeys:'])
  const databaseUrl = url('DATABASE_URL', ['postgres:', 'postgresql:'])
  return {
    host: text('HOST') ?? '127.0.0.1',
    port: port('PORT', 3000),
    log: logUrl === undefined ? { directory, respPort: port('RESP_PORT', 6390) } : { url: logUrl },
    database: databaseUrl === undefined ? { directory: resolve(directory, 'database') } : { url: databaseUrl },
    sendRate: number('CHAT_SEND_RATE', 10, 1, 1_000_000),
  }
}

/** Korean where the locale of the terminal is, English elsewhere. */
export function readLanguage(environment: NodeJS.ProcessEnv): Language {
  const locale = environment.LC_ALL || environment.LC_MESSAGES || environment.LANG || ''
  return locale.startsWith('ko') ? 'ko' : 'en'
}

export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//')
}
