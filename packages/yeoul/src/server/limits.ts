import type { Config, OutputLimit } from '../engine/config.js'
import { LIMITS, type ParserLimits, UNAUTHENTICATED_LIMITS } from '../engine/resp/parser.js'
import type { Session } from '../engine/session.js'

/** Commands of one peer run for at most this long before others get their turn. */
export const TURN_MS = 5

/**
 * Unread replies at which a peer's further commands wait. Its bytes are still received, up to READ_AHEAD: a client that
 * sends a long pipeline before it reads the first reply must be able to finish sending.
 */
export const OUTPUT_AHEAD = 1024 * 1024

/** Bytes received ahead of a peer whose commands have to wait. */
export const READ_AHEAD = 32 * 1024 * 1024

/** Bytes received ahead of all such peers together; beyond it each gets READ_AHEAD_CROWDED. */
export const READ_AHEAD_TOTAL = 512 * 1024 * 1024
export const READ_AHEAD_CROWDED = 64 * 1024

/** A reply that the failing disk has kept from leaving for so long ends its connection: the outcome is unknown. */
export const UNACKNOWLEDGED_MS = 5000

/** What a peer may send. */
export function parserLimits(config: Config, authenticated: boolean): ParserLimits {
  if (!authenticated) return UNAUTHENTICATED_LIMITS
  return { ...LIMITS, bulk: config.protoMaxBulkLen, buffer: config.clientQueryBufferLimit }
}

/** Who is sent things without asking each time is held to the limits of subscribers. */
export function outputLimit(config: Config, session: Session): OutputLimit {
  const limits = config.clientOutputBufferLimit
  return session.subscribed || session.monitor ? limits.pubsub : limits.normal
}

export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false
  return address === '::1' || /^(::ffff:)?127\./.test(address)
}

export const DENIED =
  '-DENIED yeoul runs in protected mode: no password is set for the default user and this connection does not come ' +
  'from the same machine. Either connect from the same machine, or set a password with --requirepass (or CONFIG SET ' +
  'requirepass from the same machine), or switch protected mode off with CONFIG SET protected-mode no when every ' +
  'machine that can reach this port is trusted.\r\n'

export const TOO_MANY_CLIENTS = '-ERR max number of clients reached\r\n'
