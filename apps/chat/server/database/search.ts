import { sql } from 'kysely'
import type { ChatMessage, SearchHit } from '../protocol.js'
import type { Database } from './database.js'
import { tieOf, toMessage } from './messages.js'
import type { MessageTable } from './tables.js'

export interface SearchRequest {
  text: string
  room?: string
  /** Where the previous page ended; only older messages follow. */
  before?: string
  limit: number
}

export interface SearchPage {
  hits: SearchHit[]
  /** Older messages remain that were not looked at: go on at `cursor`. */
  more: boolean
  cursor: string | null
}

/** A trigram index needs three characters; shorter ones are looked for in windows of the newest messages. */
const TRIGRAM = 3
const WINDOW = 2_000
/** After this many ms a page ends with what was found, and a cursor to go on. */
const BUDGET = 250

/**
 * Substring search, newest first, not regarding case: Korean words are found with whatever particle is attached. A page costs a
 * bounded amount of work: an index look-up, or windows of the newest rows until the page is full or its time is up.
 */
export async function search(database: Database, request: SearchRequest): Promise<SearchPage> {
  const text = request.text.normalize('NFC')
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`
  const indexed = database.trigrams && [...text].length >= TRIGRAM
  const page = await (indexed ? byIndex : byWindows)(database, pattern, request)
  return { ...page, hits: page.messages.map((message) => ({ message, ranges: rangesOf(message.text, text) })) }
}

interface FoundPage {
  messages: ChatMessage[]
  more: boolean
  cursor: string | null
}

async function byIndex({ db }: Database, pattern: string, { room, before, limit }: SearchRequest): Promise<FoundPage> {
  const answer = await sql<MessageTable>`
    select * from messages where text ilike ${pattern} and ${older(before)} and ${within(room)}
    order by at desc, tie desc limit ${limit + 1}`.execute(db)
  return cut(answer.rows, limit)
}

async function byWindows({ db }: Database, pattern: string, request: SearchRequest): Promise<FoundPage> {
  const { room, limit } = request
  const until = performance.now() + BUDGET
  const found: MessageTable[] = []
  let before = request.before
  for (;;) {
    // The window's oldest row comes along with the hits, also when there are none.
    const answer = await sql<MessageTable & { edge: string | null; rows: number }>`
      with looked as materialized (
        select * from messages where ${older(before)} and ${within(room)} order by at desc, tie desc limit ${WINDOW}
      ), edge as (
        select count(*)::int as rows, (array_agg(id order by at, tie))[1] as edge from looked
      )
      select edge.*, hit.* from edge left join (select * from looked where text ilike ${pattern}) hit on true
      order by hit.at desc, hit.tie desc limit ${limit + 1}`.execute(db)
    const { edge, rows } = answer.rows[0]
    found.push(...answer.rows.filter(({ id }) => id !== null))
    if (found.length > limit) return cut(found, limit)
    if (rows < WINDOW) return { messages: found.map(toMessage), more: false, cursor: null }
    if (performance.now() > until) return { messages: found.map(toMessage), more: true, cursor: edge }
    before = edge!
  }
}

function older(before: string | undefined) {
  if (before === undefined) return sql`true`
  return sql`(at, tie) < (${Number(before.slice(0, before.indexOf('-')))}::bigint, ${tieOf(before)}::bigint)`
}

function within(room: string | undefined) {
  return room === undefined ? sql`true` : sql`room = ${room}`
}

function cut(rows: MessageTable[], limit: number): FoundPage {
  const messages = rows.slice(0, limit).map(toMessage)
  const more = rows.length > limit
  return { messages, more, cursor: more ? messages[messages.length - 1].id : null }
}

/** Character ranges of every place where `wanted` stands in `text`, not regarding case. */
export function rangesOf(text: string, wanted: string): [number, number][] {
  const pattern = new RegExp(wanted.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'giu')
  return [...text.matchAll(pattern)].map((match) => [match.index, match.index + match[0].length])
}
