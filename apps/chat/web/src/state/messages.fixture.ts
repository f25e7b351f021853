import type { ChatMessage } from '../../../server/protocol.js'

/** A message as the gateway would send it; tests name only what they are about. */
export function message(seq: number, over: Partial<ChatMessage> = {}): ChatMessage {
  return {
    room: 'lobby',
    seq,
    id: `${seq}-0`,
    clientId: `c-${seq}`,
    user: 'mina',
    text: `message ${seq}`,
    at: Date.UTC(2026, 10, 22, 3, 0, seq),
    stored: false,
    ...over,
  }
}
