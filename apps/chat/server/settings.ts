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
 *     HOST          127.0.0.1     address to bind to
 *     PORT          3000          chat, console, metrics
 *     RESP_PORT     6390          the embedded engine, for Redis clients
 *     YEOUL_URL     (none)        redis://… instead of the embedded engine
 *     DATABASE_URL  (none)        postgres://… instead of the embedded database
 *     YEOUL_DIR     .yeoul        where embedded data is kept
 */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const text = (name: string) => environment[name]?.trim() || undefined
  const port = (name: string, fallback: number) => {
    const given = text(name)
    if (given === undefined) return fallback
    const value = Number(given)
    if (!Number.isInteger(value) || value < 0 || value > 65_535)
      throw new BadSetting(name, given, 'a port from 0 to 65535')
    return value
  }
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
