import { type BatchContext, type Channels, type Message, Unrecoverable, type Worker } from 'yeoul'
import type { Database } from '../database/database.js'
import { saveMessages } from '../database/messages.js'
import { saveNotifications } from '../database/notifications.js'
import { membersOf, saveReads } from '../database/reads.js'
import { type Hint, publishHint } from '../hints.js'
import { type ChatLog, type LoggedMessage, timeOf } from '../log.js'
import type { ChatMetrics } from '../metrics.js'
import type { ChatMessage } from '../protocol.js'
import { mentioned } from './mentions.js'
import { whenReachable } from './reachable.js'

export interface WorkerParts {
  log: ChatLog
  database: Database
  channels: Channels
  metrics: ChatMetrics
  /** Who is known to be in a room here and now: somebody who has just come is in the database a moment later. */
  people(room: string): Iterable<string>
  onError(where: string, error: unknown): void
}

/** Characters of a message that its notification shows. */
const EXCERPT = 200
/**
 * What a crashed process held is taken over after `visibilityTimeout`: soon, since a search finds it only then, and taking over
 * what was not lost at all costs nothing, as every write may be repeated. A tick that
 * comes 40 ms later bothers nobody, and eight times fewer statements leave the machine to others.
 */
const OPTIONS = { batch: { size: 500, wait: '40ms' }, visibilityTimeout: '5s' } as const

/** The groups that follow the logs. Any number of processes may run them side by side: each write may be repeated. */
export function createWorkers(parts: WorkerParts): Worker[] {
  return [messageWriter(parts), notifier(parts), readWriter(parts)]
}

/** `chat.messages` → table `messages`. */
function messageWriter({ log, database, channels, metrics, onError }: WorkerParts): Worker {
  return log.messages.batchWorker(
    'db',
    async (entries, context) => {
      const messages = numbered(entries, context)
      const { stored, refused } = await whenReachable(
        () => saveMessages(database, [...messages.keys()]),
        context.signal,
        (error) => onError('writing to the database', error),
      )
      for (const { message, reason } of refused) {
        context.fail(messages.get(message)!, new Unrecoverable(reason))
        messages.delete(message)
      }
      const now = Date.now()
      for (const { at } of messages.keys()) metrics.saveLag(Math.max(0, now - at) / 1000)
      metrics.ledger.stored += messages.size
      await tell(channels, { type: 'stored', rooms: stored })
    },
    OPTIONS,
  )
}

/** `chat.messages` → mentions → table `notifications` and the people mentioned. */
function notifier({ log, database, channels, people, onError }: WorkerParts): Worker {
  return log.messages.batchWorker(
    'notify',
    async (entries, context) => {
      const messages = [...numbered(entries, context).keys()].filter(({ text }) => text.includes('@'))
      if (messages.length === 0) return
      const made = await whenReachable(
        async () => {
          const members = await membersOf(database, [...new Set(messages.map(({ room }) => room))])
          return saveNotifications(
            database,
            messages.flatMap((message) => {
              const known = new Set([...people(message.room), ...(members.get(message.room) ?? [])])
              return mentions(message, [...known])
            }),
          )
        },
        context.signal,
        (error) => onError('writing notifications', error),
      )
      if (made.length > 0) await tell(channels, { type: 'notifications', notifications: made })
    },
    OPTIONS,
  )
}

/** `chat.reads` → table `reads`. */
function readWriter({ log, database, channels, onError }: WorkerParts): Worker {
  return log.reads.batchWorker(
    'db',
    async (entries, context) => {
      const reads = entries.map(({ value }) => value)
      await whenReachable(
        () => saveReads(database, reads),
        context.signal,
        (error) => onError('writing read positions', error),
      )
      // Reported before, when they were logged; again for a gateway that was not listening then and has asked the database too early.
      await tell(channels, { type: 'reads', reads })
    },
    OPTIONS,
  )
}

/** The entries as messages. One without a number was put into the stream by hand: nobody could show it in its place. */
function numbered(entries: Message<LoggedMessage>[], context: BatchContext<LoggedMessage>) {
  const messages = new Map<ChatMessage, Message<LoggedMessage>>()
  for (const entry of entries) {
    const { id, sequence, value } = entry
    if (sequence === undefined)
      context.fail(entry, new Unrecoverable('no number in its room: send it through the chat'))
    else messages.set({ ...value, seq: sequence, id, at: timeOf(id), stored: true }, entry)
  }
  return messages
}

function mentions({ id, room, seq, user, text, at }: ChatMessage, members: readonly string[]) {
  return mentioned(text, members)
    .filter((name) => name !== user)
    .map((recipient) => ({
      recipient,
      notification: {
        id: `${id}:${recipient}`,
        kind: 'mention' as const,
        room,
        seq,
        from: user,
        text: [...text].slice(0, EXCERPT).join(''),
        at,
        seen: false,
      },
    }))
}

/** The work is done whether or not anybody hears of it. */
async function tell(channels: Channels, hint: Hint): Promise<void> {
  await publishHint(channels, hint).catch(() => undefined)
}
