import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { FileStorage, type StorageLock } from 'yeoul/engine'
import { migrate } from './migrations.js'
import { PgliteThread } from './pglite.js'
import type { Tables } from './tables.js'

/** `url`: a PostgreSQL server. `directory`: the embedded database, kept there. Neither: embedded, in memory. */
export type DatabaseTarget = { url: string } | { directory: string } | { memory: true }

/** The chat's database. The same SQL runs on both kinds; only opening differs. */
export interface Database {
  readonly db: Kysely<Tables>
  readonly kind: 'pglite' | 'postgresql'
  readonly version: string
  /** Whether substring search has an index that understands Hangul (pg_trgm under a UTF-8 locale). */
  readonly trigrams: boolean
  close(): Promise<void>
}

const INT8 = 20
/** Sequences and times are far below 2^53. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
} as pg.CustomTypesConfig

/** Opens the database and brings its tables to the newest version. Rejects with the driver's error or `DirectoryLocked`. */
export async function openDatabase(target: DatabaseTarget): Promise<Database> {
  return 'url' in target ? openServer(target.url) : openEmbedded('directory' in target ? target.directory : undefined)
}

async function openServer(url: string): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    types,
    max: 6,
    connectionTimeoutMillis: 10_000,
    application_name: 'yeoul-chat',
    statement_timeout: 30_000,
  })
  return ready(pool, 'postgresql', async () => undefined)
}

async function openEmbedded(directory: string | undefined): Promise<Database> {
  let held: StorageLock | undefined
  if (directory !== undefined) {
    await mkdir(directory, { recursive: true })
    // PGlite has no lock of its own, and two processes on one directory destroy it.
    held = await new FileStorage().lock(`${directory}.lock`, Date.now())
  }
  try {
    const thread = await PgliteThread.open(directory === undefined ? undefined : join(directory, 'pglite'))
    const pool = new pg.Pool({
      // One session is all PGlite has: a second client would wait for ever, an idle one must not be dropped.
      max: 1,
      idleTimeoutMillis: 0,
      types,
      user: 'postgres',
      database: 'postgres',
      stream: () => thread.stream(),
    } as pg.PoolConfig)
    return await ready(pool, 'pglite', async () => {
      await thread.close()
      await held?.release()
    })
  } catch (error) {
    await held?.release()
    throw error
  }
}

async function ready(pool: pg.Pool, kind: Database['kind'], closed: () => Promise<void>): Promise<Database> {
  // A dropped idle connection is replaced on the next use; without a listener it would end the process.
  pool.on('error', () => undefined)
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  const close = async () => {
    await db.destroy()
    await closed()
  }
  try {
    await migrate(db)
    const facts = await sql<{ version: string; trigrams: boolean }>`
      select current_setting('server_version') as version,
             exists (select 1 from pg_indexes where indexname = 'messages_trigrams') as trigrams`.execute(db)
    const { version, trigrams } = facts.rows[0]
    return { db, kind, version, trigrams: trigrams && (await splitsHangul(db)), close }
  } catch (error) {
    await close().catch(() => undefined)
    throw error
  }
}

/** Under LC_CTYPE=C a PostgreSQL server takes Hangul for punctuation and finds no trigrams in it. */
async function splitsHangul(db: Kysely<Tables>): Promise<boolean> {
  const answer = await sql<{ n: number }>`select coalesce(array_length(show_trgm('회의는'), 1), 0) as n`.execute(db)
  return answer.rows[0].n > 0
}

/** SQLSTATE classes and socket errors that say "not reachable now", which waiting can cure; anything else is about the data. */
export function isUnreachable(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  if (code !== undefined && /^(08|53|57P|ECONN|EPIPE|ETIMEDOUT|EAI_|ENOTFOUND|EHOSTUNREACH)/.test(code)) return true
  return /terminated|timeout exceeded when trying to connect|not queryable|database thread/i.test(message ?? '')
}
