import type { ChatMessage } from '../../../server/protocol.js'
import type { Outgoing } from './outbox.js'
import type { Timeline } from './timeline.js'
import { unreadBy } from './unread.js'

export type MessageStatus = 'sending' | 'failed' | 'logged' | 'stored' | 'read'

/** What the conversation shows, top to bottom. */
export type Row =
  | { kind: 'day'; key: string; at: number }
  | { kind: 'gap'; key: string; from: number; to: number }
  /** "New messages": fixed where the room was entered. */
  | { kind: 'divider'; key: string }
  | {
      kind: 'message'
      key: string
      message: ChatMessage
      own: boolean
      /** First and last of a run by one author: name above, time below. */
      first: boolean
      last: boolean
      status: MessageStatus
      unread: number
    }
  | { kind: 'outgoing'; key: string; entry: Outgoing; first: boolean }

export interface RowsInput {
  timeline: Timeline
  outgoing: readonly Outgoing[]
  user: string
  members: number
  reads: ReadonlyMap<string, number>
  /** Read position when the room was entered; null = no divider. */
  dividerAfter: number | null
  /** Shows only messages from this sequence on. */
  from: number
}

/** Messages of one author belong together when they are this close. */
const RUN = 5 * 60_000

export function rows(input: RowsInput): Row[] {
  const { timeline, user } = input
  const messages = timeline.messages().filter((message) => message.seq >= input.from)
  const gaps = timeline.gaps().filter((gap) => gap.to >= input.from)
  const result: Row[] = []
  let previous: ChatMessage | null = null
  let dividerShown = input.dividerAfter === null
  let nextGap = 0

  const putGap = (upTo: number): boolean => {
    let put = false
    for (; nextGap < gaps.length && gaps[nextGap]!.to < upTo; nextGap++) {
      const { from, to } = gaps[nextGap]!
      result.push({ kind: 'gap', key: `gap-${from}`, from, to })
      put = true
    }
    return put
  }

  for (const message of messages) {
    let starts = putGap(message.seq)
    if (!previous || !sameDay(previous.at, message.at)) {
      result.push({ kind: 'day', key: `day-${message.seq}`, at: message.at })
      starts = true
    }
    if (!dividerShown && message.seq > input.dividerAfter! && message.user !== user) {
      dividerShown = true
      result.push({ kind: 'divider', key: 'divider' })
      starts = true
    }
    const runs = !starts && previous !== null && joins(previous, message)
    const before = result.at(-1)
    if (runs && before?.kind === 'message') before.last = false
    const unread = unreadBy(input.members, input.reads, message.seq, message.user)
    result.push({
      kind: 'message',
      key: `m-${message.seq}`,
      message,
      own: message.user === user,
      first: !runs,
      last: true,
      status: statusOf(timeline, message, unread, input.members),
      unread,
    })
    previous = message
  }
  putGap(Number.POSITIVE_INFINITY)

  for (const entry of input.outgoing) {
    if (timeline.hasClientId(entry.user, entry.clientId)) continue
    const before = result.at(-1)
    const first = !(
      before?.kind === 'outgoing' ||
      (before?.kind === 'message' && before.own && entry.at - before.message.at < RUN)
    )
    result.push({ kind: 'outgoing', key: `o-${entry.clientId}`, entry, first })
  }
  return result
}

function statusOf(timeline: Timeline, message: ChatMessage, unread: number, members: number): MessageStatus {
  if (unread === 0 && members > 1) return 'read'
  return timeline.isStored(message) ? 'stored' : 'logged'
}

function joins(previous: ChatMessage, next: ChatMessage): boolean {
  return previous.user === next.user && next.at - previous.at < RUN
}

function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString()
}
