import type { RefusalCode } from '../../../server/protocol.js'

/**
 * What the user sent and the server has not acknowledged: kept over a reload under the same client ids, so that sending
 * again never makes a second message.
 */
export interface Outgoing {
  clientId: string
  room: string
  user: string
  text: string
  /** When the user pressed Enter, ms since the epoch. */
  at: number
  /** `waiting`: to be sent. `sent`: on its way, no answer yet. `failed`: refused for good; the user decides. */
  state: 'waiting' | 'sent' | 'failed'
  failure?: RefusalCode
  /** Refusals so far that a later attempt may cure. */
  refusals: number
}

export type Keeper = Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>

/** One key an entry, so that two tabs of one user never write over each other's queue. */
const PREFIX = 'yeoul.chat.outbox.'
/** A refusal that may pass (the server is unavailable, the room not joined yet) is tried so often, then shown as failed. */
const ATTEMPTS = 8

export class Outbox {
  #entries: Outgoing[]
  readonly #keeper: Keeper

  constructor(keeper: Keeper) {
    this.#keeper = keeper
    this.#entries = read(keeper)
  }

  entries(): readonly Outgoing[] {
    return this.#entries
  }

  of(room: string): Outgoing[] {
    return this.#entries.filter((entry) => entry.room === room)
  }

  /** Not acknowledged and not given up. */
  get waiting(): number {
    return this.#entries.filter((entry) => entry.state !== 'failed').length
  }

  add(entry: Pick<Outgoing, 'clientId' | 'room' | 'user' | 'text' | 'at'>): void {
    const added: Outgoing = { ...entry, state: 'waiting', refusals: 0 }
    this.#entries = [...this.#entries, added]
    this.#save(added)
  }

  /** What to put on the wire now, in the order it was written; marks it as on its way. */
  take(user: string): Outgoing[] {
    const due = this.#entries.filter((entry) => entry.state === 'waiting' && entry.user === user)
    if (due.length > 0) {
      this.#entries = this.#entries.map((entry) => (due.includes(entry) ? { ...entry, state: 'sent' } : entry))
    }
    return due
  }

  /** The connection broke: nothing on its way is known to have arrived, all of it goes out again. */
  rewind(): void {
    this.#entries = this.#entries.map((entry) => (entry.state === 'sent' ? { ...entry, state: 'waiting' } : entry))
  }

  acknowledge(clientId: string): Outgoing | undefined {
    const entry = this.#entries.find((candidate) => candidate.clientId === clientId)
    if (entry) this.discard(clientId)
    return entry
  }

  /** Refused. A passing refusal puts the entry back to be sent again; any other one is for the user to see. */
  refuse(clientId: string, code: RefusalCode): void {
    const passing = code === 'rate_limited' || code === 'unavailable' || code === 'not_joined'
    this.#change(clientId, (entry) => {
      // A rate limit says when to come back; it is no sign that the message is bad.
      const refusals = code === 'rate_limited' ? entry.refusals : entry.refusals + 1
      return passing && refusals < ATTEMPTS
        ? { ...entry, state: 'waiting', refusals }
        : { ...entry, state: 'failed', failure: code, refusals }
    })
  }

  retry(clientId: string): void {
    this.#change(clientId, (entry) => ({ ...entry, state: 'waiting', refusals: 0 }))
  }

  discard(clientId: string): void {
    this.#entries = this.#entries.filter((entry) => entry.clientId !== clientId)
    this.#keeper.removeItem(PREFIX + clientId)
  }

  #change(clientId: string, change: (entry: Outgoing) => Outgoing): void {
    this.#entries = this.#entries.map((entry) => {
      if (entry.clientId !== clientId) return entry
      const changed = change(entry)
      this.#save(changed)
      return changed
    })
  }

  #save(entry: Outgoing): void {
    try {
      this.#keeper.setItem(PREFIX + entry.clientId, JSON.stringify(entry))
    } catch {
      // A full or forbidden storage costs the queue over a reload, not the sending.
    }
  }
}

function read(keeper: Keeper): Outgoing[] {
  const entries: Outgoing[] = []
  for (let index = 0; index < keeper.length; index++) {
    const key = keeper.key(index)
    if (!key?.startsWith(PREFIX)) continue
    const entry = parse(keeper.getItem(key))
    if (entry) entries.push(entry)
  }
  return entries.sort((a, b) => a.at - b.at)
}

function parse(text: string | null): Outgoing | null {
  try {
    const value: unknown = JSON.parse(text ?? 'null')
    if (!isOutgoing(value)) return null
    return value.state === 'sent' ? { ...value, state: 'waiting' } : value
  } catch {
    return null
  }
}

function isOutgoing(value: unknown): value is Outgoing {
  if (typeof value !== 'object' || value === null) return false
  const entry = value as Partial<Outgoing>
  return (
    typeof entry.clientId === 'string' &&
    typeof entry.room === 'string' &&
    typeof entry.user === 'string' &&
    typeof entry.text === 'string' &&
    typeof entry.at === 'number' &&
    typeof entry.refusals === 'number' &&
    (entry.state === 'waiting' || entry.state === 'sent' || entry.state === 'failed')
  )
}
