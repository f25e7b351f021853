import { CommandError, type EngineState } from '../commands/command.js'
import type { Database } from '../keyspace/database.js'
import type { EntryId } from '../stream/entry-id.js'
import type { Group } from '../stream/group.js'
import { PendingEntry } from '../stream/pending.js'

/**
 * The atomic steps of the runtime's stores, built into the engine: plain functions over its keys, run by `FCALL yeoul_…`
 * and by the embedded store alike. What they do is what stores/functions does on Redis, and their effects are logged as
 * plain commands (XADD, XACK, ZADD, HSET …) in one transaction, so that replay and a real Redis understand them.
 *
 * Names and values are latin1 strings, one character a byte. Every check comes before the first change.
 */
export interface StepContext {
  readonly engine: EngineState
  readonly database: Database
  /** ms since the epoch. */
  readonly now: number
}

/** A field list in RESP wire form: source[start, end) is 2 × pairs bulk strings. */
export interface WireFields {
  readonly source: Buffer
  readonly start: number
  readonly end: number
  readonly pairs: number
}

/** A delivery as its holder knows it. */
export interface HeldDelivery {
  readonly id: EntryId
  readonly deliveries: number
}

const pending = new PendingEntry()

/** The fence: does this consumer still own the delivery, with the very count it knows? */
export function owns(group: Group, consumer: string, { id, deliveries }: HeldDelivery): boolean {
  return group.pending.get(id, pending) && pending.consumer?.name === consumer && pending.deliveryCount === deliveries
}

export function noId(): CommandError {
  return new CommandError('ERR Invalid stream ID specified as stream command argument')
}
