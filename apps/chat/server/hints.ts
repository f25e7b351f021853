import type { Channels } from 'yeoul'
import type { ChatMessage, ChatNotification } from './protocol.js'

/**
 * What gateways and workers tell each other over Pub/Sub. Each is a hint: it may be lost, come twice or out of order, and
 * nothing depends on it but how soon a person sees it. What was lost is noticed by sequence or by the periodic checks.
 *
 * `message` has the very shape of the frame for the browser, so that a gateway passes the bytes on.
 */
export type Hint =
  | { type: 'message'; message: ChatMessage }
  | { type: 'room'; room: string }
  | { type: 'reads'; reads: { room: string; user: string; seq: number }[] }
  | { type: 'stored'; rooms: Record<string, number> }
  | { type: 'typing'; room: string; user: string }
  | { type: 'notifications'; notifications: { recipient: string; notification: ChatNotification }[] }
  /** Who is in these rooms at this gateway, as of now; `all`: and in no other room. */
  | { type: 'presence'; gateway: string; all: boolean; rooms: Record<string, string[]> }
  /** A gateway has just begun to listen: tell it who is where. */
  | { type: 'roll-call'; gateway: string }

export const ROOM_CHANNELS = 'chat.room.*'
const EVENTS_CHANNEL = 'chat.events'

export function publishHint(channels: Channels, hint: Hint): Promise<number> {
  const channel = hint.type === 'message' ? `chat.room.${hint.message.room}` : EVENTS_CHANNEL
  return channels.publish(channel, JSON.stringify(hint))
}

/** `listener` also gets the bytes; `onGap` = hints were missed. Anything on the channels that is no hint is passed over. */
export async function subscribeHints(
  channels: Channels,
  listener: (hint: Hint, bytes: Buffer) => void,
  onGap: () => void,
): Promise<{ close(): Promise<void> }> {
  return channels.subscribe(
    { channels: [EVENTS_CHANNEL], patterns: [ROOM_CHANNELS] },
    (bytes) => {
      const hint = parse(bytes)
      if (hint !== undefined) listener(hint, bytes)
    },
    onGap,
  )
}

function parse(bytes: Buffer): Hint | undefined {
  try {
    const hint = JSON.parse(bytes.toString()) as Hint | null
    return typeof hint?.type === 'string' ? hint : undefined
  } catch {
    return undefined
  }
}
