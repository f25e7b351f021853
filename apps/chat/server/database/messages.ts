import { sql } from 'kysely'
import type { ChatMessage } from '../protocol.js'
import { type Database, isUnreachable } from './database.js'
import type { MessageTable } from './tables.js'

export interface Saved {
  /** Per room: everything up to this number is in the database. */
  stored: Record<string, number>
  /** Messages that cannot be stored, ever, and why. */
  refused: { message: ChatMessage; reason: string }[]
}

/** Writes messages; the same message again changes nothing. Rejects only when trying the same again can succeed. */
export async function saveMessages({ db }: Database, messages: readonly ChatMessage[]): Promise<Saved> {
  const refused: Saved['refused'] = []
  const written = await insert({ db }, messages).catch(async (error) => {
    if (isUnreachable(error)) throw error
    // Something in the batch is unacceptable to the database: one by one shows which.
    const each = []
    for (const message of messages) {
      try {
        each.push(...(await insert({ db }, [message])))
      } catch (error) {
        if (isUnreachable(error)) throw error
        refused.push({ message, reason: (error as Error).message })
        await skip({ db }, message, 'unstorable')
      }
    }
    return each
  })

  if (written.length + refused.length < messages.length) {
    const known = new Set(written.map(({ room, seq }) => `${seq}/${room}`))
    for (const { message } of refused) known.add(`${message.seq}/${message.room}`)
    refused.push(
      ...(await explain(
        { db },
        messages.filter(({ room, seq }) => !known.has(`${seq}/${room}`)),
      )),
    )
  }
  return { stored: await advance({ db }, [...new Set(messages.map(({ room }) => room))]), refused }
}

type Connected = Pick<Database, 'db'>

async function insert({ db }: Connected, messages: readonly ChatMessage[]) {
  const column = <T>(of: (message: ChatMessage) => T) => messages.map(of)
  const answer = await sql<{ room: string; seq: number }>`
    insert into messages (room, seq, id, at, tie, client_id, author, text)
    select * from unnest(${column((m) => m.room)}::text[], ${column((m) => m.seq)}::bigint[], ${column((m) => m.id)}::text[],
                         ${column((m) => m.at)}::bigint[], ${column((m) => tieOf(m.id))}::bigint[],
                         ${column((m) => m.clientId)}::text[], ${column((m) => m.user)}::text[],
                         ${column((m) => m.text.normalize('NFC'))}::text[])
    on conflict do nothing
    returning room, seq`.execute(db)
  return answer.rows
}

/**
 * Why these were not inserted. The same entry is there already: fine. The client id is there under another number: it was sent
 * again after the log had forgotten it, and its number stays empty. Another entry has this number: the log began anew.
 */
async function explain({ db }: Connected, messages: readonly ChatMessage[]): Promise<Saved['refused']> {
  const rows = await rowsOf({ db }, messages)
  const refused: Saved['refused'] = []
  for (const message of messages) {
    const row = rows.find(({ room, seq }) => room === message.room && seq === message.seq)
    if (row === undefined) await skip({ db }, message, 'repeated')
    else if (row.id !== message.id) {
      refused.push({
        message,
        reason: `number ${message.seq} of the room is taken by entry ${row.id}: the log began anew`,
      })
    }
  }
  return refused
}

async function skip({ db }: Connected, { room, seq }: ChatMessage, reason: 'repeated' | 'unstorable'): Promise<void> {
  await db
    .insertInto('skipped')
    .values({ room, seq, reason })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/**
 * Moves `rooms.stored` to the last number that has no hole before it, counted over committed rows only: of two writers that
 * fill each other's holes, the later one sees both.
 */
async function advance({ db }: Connected, rooms: readonly string[]): Promise<Record<string, number>> {
  const answer = await sql<{ name: string; stored: number }>`
    insert into rooms (name, stored)
    select touched.name, (
      select min(candidate.seq) from (
        select touched.base as seq
        union all select seq from messages where room = touched.name and seq > touched.base
        union all select seq from skipped where room = touched.name and seq > touched.base
      ) candidate
      where not exists (select 1 from messages where room = touched.name and seq = candidate.seq + 1)
        and not exists (select 1 from skipped where room = touched.name and seq = candidate.seq + 1)
    )
    from (
      select wanted.name, coalesce(rooms.stored, 0) as base
      from unnest(${[...rooms].sort()}::text[]) wanted (name) left join rooms using (name)
      order by wanted.name
    ) touched
    on conflict (name) do update set stored = greatest(rooms.stored, excluded.stored)
    returning name, stored`.execute(db)
  return Object.fromEntries(answer.rows.map(({ name, stored }) => [name, stored]))
}

/** Ascending; numbers that are not stored are absent. */
export async function messagesBetween(
  { db }: Connected,
  room: string,
  from: number,
  to: number,
): Promise<ChatMessage[]> {
  const rows = await db
    .selectFrom('messages')
    .selectAll()
    .where('room', '=', room)
    .where('seq', '>=', from)
    .where('seq', '<=', to)
    .orderBy('seq')
    .execute()
  return rows.map(toMessage)
}

/** The id of the last stored message before a number: whatever comes after that number is after this id in the log. */
export async function idBefore({ db }: Connected, room: string, seq: number): Promise<string | undefined> {
  const row = await db
    .selectFrom('messages')
    .select('id')
    .where('room', '=', room)
    .where('seq', '<', seq)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.id
}

/** One message each, where stored. */
export async function messagesAt(
  database: Connected,
  places: readonly { room: string; seq: number }[],
): Promise<ChatMessage[]> {
  return places.length === 0 ? [] : (await rowsOf(database, places)).map(toMessage)
}

export async function storedPositions({ db }: Connected, rooms?: readonly string[]): Promise<Map<string, number>> {
  let query = db.selectFrom('rooms').select(['name', 'stored'])
  if (rooms !== undefined) query = query.where(({ eb }) => eb('name', '=', sql<string>`any(${rooms}::text[])`))
  return new Map((await query.execute()).map(({ name, stored }) => [name, stored]))
}

async function rowsOf({ db }: Connected, places: readonly { room: string; seq: number }[]): Promise<MessageTable[]> {
  const answer = await sql<MessageTable>`
    select messages.* from messages
    join unnest(${places.map(({ room }) => room)}::text[], ${places.map(({ seq }) => seq)}::bigint[]) place (room, seq)
    using (room, seq)`.execute(db)
  return answer.rows
}

export function toMessage(row: MessageTable): ChatMessage {
  const { room, seq, id, at, text } = row
  return { room, seq, id, clientId: row.client_id, user: row.author, text, at, stored: true }
}

export function tieOf(id: string): number {
  return Number(id.slice(id.indexOf('-') + 1))
}
