import type { Argument, Reply } from '../functions/step.js'
import type { RawClient } from './client.js'

/** The way to the server(s): one connection to one server, or a cluster's. Knows commands and keys, not streams. */
export interface Link {
  readonly address: string
  readonly cluster: boolean
  open(): Promise<void>
  /** Ends calls under way after they are answered, or at their deadline. */
  close(): Promise<void>
  /**
   * Sends in the order of the calls (a cluster: in that order per node). Rejects with StoreError; a connection that drops
   * is never a reason to send again. `key` routes.
   */
  send(key: string | undefined, args: readonly Argument[], sending: Sending): Promise<Reply>
  /** To every node that takes writes. */
  everywhere(args: readonly Argument[], sending: Sending): Promise<Reply[]>
  /** A connection of its own to where `key` lives, for a call that blocks, or for subscriptions. */
  dedicated(key: string | undefined): Promise<RawClient>
}

export interface Sending {
  /** Bulk strings come as Buffer instead of text. */
  binary?: boolean
  /** It may change something: a connection lost in the middle leaves its outcome unknown. */
  write: boolean
  /** To the node of the key even though the command has no key (a cluster client would take any node). */
  pinned?: boolean
}
