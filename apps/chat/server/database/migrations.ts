import { type Kysely, type Migration, type MigrationProvider, Migrator, sql } from 'kysely'

/** In order of name; what has run is recorded in the database itself. Never change one that was released: add the next. */
const migrations: Record<string, Migration> = {
  '001_chat': {
    async up(db: Kysely<unknown>) {
      await sql`create table origin (log text not null)`.execute(db)
      await sql`create table rooms (name text primary key, stored bigint not null default 0)`.execute(db)
      await sql`create table messages (
        room text not null,
        seq bigint not null,
        id text not null,
        at bigint not null,
        tie bigint not null,
        client_id text not null,
        author text not null,
        text text not null,
        primary key (room, seq)
      )`.execute(db)
      await sql`create unique index messages_client on messages (room, client_id)`.execute(db)
      await sql`create index messages_recent on messages (at, tie)`.execute(db)
      await sql`create table skipped (room text not null, seq bigint not null, reason text not null, primary key (room, seq))`.execute(
        db,
      )
      await sql`create table reads (room text not null, reader text not null, seq bigint not null, primary key (room, reader))`.execute(
        db,
      )
      await sql`create table notifications (
        id text primary key,
        recipient text not null,
        kind text not null,
        room text not null,
        seq bigint not null,
        sender text not null,
        text text not null,
        at bigint not null,
        seen boolean not null default false
      )`.execute(db)
      await sql`create index notifications_recipient on notifications (recipient, at desc)`.execute(db)
    },
  },
  // The extension may be missing or not allowed: search then reads the newest messages in bounded windows instead.
  '002_trigrams': {
    async up(db: Kysely<unknown>) {
      await sql`do $$ begin
        create extension if not exists pg_trgm;
        create index messages_trigrams on messages using gin (text gin_trgm_ops);
      exception when others then
        raise notice 'search without trigrams: %', sqlerrm;
      end $$`.execute(db)
    },
  },
}

const provider: MigrationProvider = { getMigrations: async () => migrations }

/** Brings the tables to the newest version; safe to call from several processes at once. */
export async function migrate<T>(db: Kysely<T>): Promise<void> {
  const { error } = await new Migrator({ db, provider }).migrateToLatest()
  if (error) throw error
}
