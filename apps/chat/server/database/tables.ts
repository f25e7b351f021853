import type { ColumnType, Generated } from 'kysely'

/** The tables as the newest migration leaves them. Times are ms since the epoch. */
export interface Tables {
  origin: OriginTable
  rooms: RoomTable
  messages: MessageTable
  skipped: SkippedTable
  reads: ReadTable
  notifications: NotificationTable
}

/** One row: which log these rows were written from. Sequences mean nothing without it. */
export interface OriginTable {
  log: string
}

export interface RoomTable {
  name: string
  /** Every number up to this one is in `messages` or in `skipped`. */
  stored: Generated<number>
}

export interface MessageTable {
  room: string
  seq: number
  /** Entry id `at-tie` in the log. */
  id: string
  at: number
  tie: number
  client_id: string
  author: string
  text: string
}

/** Numbers that were given out but have no row in `messages`, and why: so that a hole is known to be none. */
export interface SkippedTable {
  room: string
  seq: number
  reason: 'repeated' | 'unstorable'
}

export interface ReadTable {
  room: string
  reader: string
  seq: number
}

export interface NotificationTable {
  /** Entry id of the message, a colon, the recipient. */
  id: string
  recipient: string
  kind: 'mention'
  room: string
  seq: number
  sender: string
  text: string
  at: number
  seen: ColumnType<boolean, boolean | undefined, boolean>
}
