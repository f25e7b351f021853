import { sql } from 'kysely'
import type { ChatNotification } from '../protocol.js'
import type { Database } from './database.js'

export interface Addressed {
  recipient: string
  notification: ChatNotification
}

/** Writes notifications; answers those that were not there before. */
export async function saveNotifications({ db }: Database, addressed: readonly Addressed[]): Promise<Addressed[]> {
  if (addressed.length === 0) return []
  const made = await db
    .insertInto('notifications')
    .values(
      addressed.map(({ recipient, notification: { id, kind, room, seq, from, text, at } }) => {
        return { id, recipient, kind, room, seq, sender: from, text, at }
      }),
    )
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .execute()
  const ids = new Set(made.map(({ id }) => id))
  return addressed.filter(({ notification }) => ids.has(notification.id))
}

/** Newest first. */
export async function notificationsOf(
  { db }: Database,
  user: string,
  limit: number,
): Promise<{ notifications: ChatNotification[]; unseen: number }> {
  const notifications = await db
    .selectFrom('notifications')
    .select(['id', 'kind', 'room', 'seq', 'sender as from', 'text', 'at', 'seen'])
    .where('recipient', '=', user)
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  const { unseen } = await db
    .selectFrom('notifications')
    .select(({ fn }) => fn.countAll<number>().as('unseen'))
    .where('recipient', '=', user)
    .where('seen', '=', false)
    .executeTakeFirstOrThrow()
  return { notifications, unseen }
}

export async function markSeen({ db }: Database, user: string, ids: readonly string[]): Promise<void> {
  await db
    .updateTable('notifications')
    .set({ seen: true })
    .where('recipient', '=', user)
    .where(({ eb }) => eb('id', '=', sql<string>`any(${ids}::text[])`))
    .execute()
}
