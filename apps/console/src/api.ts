/**
 * The operations API: what the console asks for and what `yeoul/ops` answers. JSON over HTTP; types and the path
 * builders only.
 *
 *   GET  /api/ops/overview                                                → Overview
 *   GET  /api/ops/topics/:topic/entries?from=&count=&reverse=             → EntryPage
 *   GET  /api/ops/topics/:topic/groups/:group/pending?from=&count=        → PendingPage
 *   GET  /api/ops/topics/:topic/groups/:group/dead-letters?from=&count=   → DeadLetterPage
 *   POST /api/ops/topics/:topic/groups/:group/dead-letters/redrive        RedriveRequest → RedriveAnswer
 *   POST /api/ops/topics/:topic/groups/:group/dead-letters/discard        DiscardRequest → DiscardAnswer
 *
 * Rules
 * - Topic and group names are percent-encoded path segments.
 * - Times are milliseconds since the epoch by the store's clock, ages and lags are seconds (fractions allowed), sizes are bytes.
 * - `null` means "not known" and is shown as "?"; 0 means zero. The two are never exchanged.
 * - A page starts at `from` (an entry id, included; absent = the first, or the last with `reverse=true`) and holds at most
 *   `count` rows (default 50, at most 500). `next` is the `from` of the following page, null when there is none.
 * - Errors: 4xx/5xx with `{ "error": { "code", "message" } }`; the message is one sentence an operator can act on.
 * - POST bodies are `application/json`; anything else is refused with 415, so that no foreign page can post a form here.
 */

export interface Overview {
  server: Server
  /** When this snapshot was taken. */
  at: number
  topics: Topic[]
}

export interface Server {
  kind: 'embedded' | 'redis' | 'valkey' | 'yeoul'
  version: string
  cluster: boolean
  /** Without credentials: `file:.yeoul`, `redis://127.0.0.1:6379/0`. */
  address: string
  /** Where an acknowledged write is: memory only, at most a second from disk, on disk. */
  durability: 'memory' | 'everysec' | 'always' | 'unknown'
  /** Seconds since this process opened the store. */
  uptime: number
  /** One sentence each, with what to do. */
  warnings: string[]
}

export interface Topic {
  name: string
  partitions: number
  length: number
  /** Null when the topic holds nothing. With partitions: the smallest of them. */
  firstId: string | null
  /** Null when nothing was ever added. */
  lastId: string | null
  /** Ever added: a counter, from which the console derives rates. */
  entriesAdded: number
  memory: number | null
  scheduled: { waiting: number; nextDue: number | null }
  /** Entries a second over the last few seconds; null until two samples exist. */
  inRate: number | null
  groups: Group[]
}

export interface Group {
  name: string
  lag: Lag
  /** Deliveries not acknowledged yet. */
  pending: number
  /** Age of the oldest pending entry, from its id; null when nothing is pending or it is not known. */
  oldestPendingSeconds: number | null
  consumers: Consumer[]
  /** Dead letters of this group. */
  dead: number
  state: GroupState
  lastDeliveredId: string
  /** Entries a second delivered to this group over the last few seconds; null until two samples exist or when not known. */
  outRate: number | null
}

/** How far the group is behind the end of its topic. `entries` and `seconds` are null exactly where they are not known. */
export interface Lag {
  kind: 'exact' | 'estimated' | 'unknown'
  entries: number | null
  /** Age of the oldest entry not delivered yet; 0 when there is none. */
  seconds: number | null
  /** Why it is not exact, in one sentence. */
  reason?: string
}

/**
 * Trouble rises downwards. `healthy`: keeps up. `catching-up`: behind, and the lag shrinks. `unknown-lag`: cannot be
 * told. `falling-behind`: behind, and the lag grows. `no-consumers`: nobody alive reads. `stalled`: consumers are alive,
 * work waits, and nothing was acknowledged or delivered lately.
 */
export type GroupState = 'healthy' | 'catching-up' | 'unknown-lag' | 'falling-behind' | 'no-consumers' | 'stalled'

export interface Consumer {
  name: string
  pending: number
  /** Seconds since it last asked for anything. */
  idleSeconds: number
  /** By its beat, not by its idle time: a consumer in a long handler is alive. Null where no beat exists (a foreign client). */
  alive: boolean | null
}

export interface Page<Row> {
  rows: Row[]
  next: string | null
}

/** An entry's field as text. `base64` is true when the bytes are no valid UTF-8; `value` is their base64 then. */
export interface FieldView {
  name: string
  value: string
  base64?: boolean
}

export interface EntryRow {
  id: string
  at: number
  fields: FieldView[]
}
export type EntryPage = Page<EntryRow>

export interface PendingRow {
  id: string
  consumer: string
  deliveries: number
  /** Since the last delivery. */
  idleSeconds: number
  /** Since it was published, from its id. */
  ageSeconds: number
}
export type PendingPage = Page<PendingRow>

export interface DeadLetterRow {
  /** Id in the dead-letter stream: what redrive and discard take. */
  id: string
  /** When it was put aside. */
  at: number
  /** The original entry: its id in the topic, and its fields as they were published. */
  originId: string
  fields: FieldView[]
  error: { name: string; message: string; stack: string | null }
  attempts: number
  /** What each attempt met, oldest first; as far as it was kept. */
  trail: { attempt: number; at: number; consumer: string | null; error: string }[]
}
export type DeadLetterPage = Page<DeadLetterRow> & {
  /** Letters of this group now. */
  total: number
  /** Id of the last letter now: the bound for `{ all: true, upTo }`. Null when there is none. */
  lastId: string | null
}

/** `upTo` binds "all" to what was seen: letters that arrive after the preview stay untouched. */
export type LetterSelection = { ids: string[] } | { all: true; upTo: string }

/** `dryRun`: nothing happens; the answer tells what would. */
export type RedriveRequest = LetterSelection & { dryRun?: boolean }
export interface RedriveAnswer {
  /** Letters selected that exist. */
  selected: number
  /** Moved back into the topic (0 in a dry run). */
  redriven: number
  /** Named but no longer there. */
  missing: number
  dryRun: boolean
}

export type DiscardRequest = LetterSelection & { dryRun?: boolean }
export interface DiscardAnswer {
  selected: number
  /** Deleted for good (0 in a dry run). */
  discarded: number
  missing: number
  dryRun: boolean
}

export interface ApiError {
  error: { code: string; message: string }
}

const segment = encodeURIComponent

export const overviewPath = '/api/ops/overview'
export const entriesPath = (topic: string, query: { from?: string; count?: number; reverse?: boolean }) =>
  `/api/ops/topics/${segment(topic)}/entries${queryText(query)}`
export const pendingPath = (topic: string, group: string, query: { from?: string; count?: number }) =>
  `${groupPath(topic, group)}/pending${queryText(query)}`
export const deadLettersPath = (topic: string, group: string, query: { from?: string; count?: number }) =>
  `${groupPath(topic, group)}/dead-letters${queryText(query)}`
export const redrivePath = (topic: string, group: string) => `${groupPath(topic, group)}/dead-letters/redrive`
export const discardPath = (topic: string, group: string) => `${groupPath(topic, group)}/dead-letters/discard`

function groupPath(topic: string, group: string): string {
  return `/api/ops/topics/${segment(topic)}/groups/${segment(group)}`
}

function queryText(query: Record<string, string | number | boolean | undefined>): string {
  const given = Object.entries(query).filter((pair) => pair[1] !== undefined)
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}
