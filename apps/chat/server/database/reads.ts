import { sql } from 'kysely'
import type { Database } from './database.js'

export interface ReadPosition {
  room: string
  user: string
  seq: number
}

/** Moves read positions forward; one that is behind what is stored changes nothing. */
export async function saveReads({ db }: Database, reads: readonly ReadPosition[]): Promise<void> {
  if (reads.length === 0) return
  // One statement may not touch a row twice; rows in one order everywhere, so that two writers never wait for each other.
  const furthest = furthestReads(reads).sort((a, b) =>
    a.room < b.room || (a.room === b.room && a.user < b.user) ? -1 : 1,
  )
  await sql`
    insert into reads (room, reader, seq)
    select * from unnest(${furthest.map(({ room }) => room)}::text[], ${furthest.map(({ user }) => user)}::text[],
                         ${furthest.map(({ seq }) => seq)}::bigint[])
    on conflict (room, reader) do update set seq = greatest(reads.seq, excluded.seq)`.execute(db)
}

export async function allReads({ db }: Database): Promise<ReadPosition[]> {
  return db.selectFrom('reads').select(['room', 'reader as user', 'seq']).execute()
}

/** Everybody who was ever in one of these rooms. */
export async function membersOf({ db }: Database, rooms: readonly string[]): Promise<Map<string, string[]>> {
  const rows = await db
    .selectFrom('reads')
    .select(['room', 'reader'])
    .where(({ eb }) => eb('room', '=', sql<string>`any(${rooms}::text[])`))
    .execute()
  const members = new Map<string, string[]>(rooms.map((room) => [room, []]))
  for (const { room, reader } of rows) members.get(room)?.push(reader)
  return members
}

/** The largest position of each person in each room. */
export function furthestReads(reads: readonly ReadPosition[]): ReadPosition[] {
  const furthest = new Map<string, ReadPosition>()
  for (const read of reads) {
    const place = `${read.room}/${read.user}`
    if ((furthest.get(place)?.seq ?? -1) < read.seq) furthest.set(place, read)
  }
  return [...furthest.values()]
}
