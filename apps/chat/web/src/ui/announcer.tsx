import { useEffect, useState } from 'preact/hooks'
import type { ChatMessage } from '../../../server/protocol.js'
import type { Chat } from '../state/chat.js'
import type { Room } from '../state/room.js'
import { useText } from './text-context.js'

/** Read out at most once in this time; what comes faster is summed up. */
const EVERY = 1_000

/**
 * Tells screen readers of new messages of others. The log itself is not a live region, because loading history into one floods
 * the reader.
 */
export function Announcer({ chat, room }: { chat: Chat; room: Room }) {
  const { t } = useText()
  const [words, setWords] = useState('')

  useEffect(() => {
    let held: ChatMessage[] = []
    let timer: ReturnType<typeof setTimeout> | undefined
    const say = () => {
      timer = undefined
      const names = [...new Set(held.map((message) => message.user))].join(', ')
      const only = held[0]
      if (only)
        setWords(
          held.length === 1
            ? t('timeline.arrived', { user: only.user, text: only.text })
            : t('timeline.announce', { n: held.length, names }),
        )
      held = []
    }
    const stop = chat.onArrival((messages) => {
      held.push(...messages.filter((message) => message.room === room.name && message.user !== chat.user))
      if (held.length > 0) timer ??= setTimeout(say, EVERY)
    })
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [chat, room, t])

  return (
    <p class="sr-only" aria-live="polite">
      {words}
    </p>
  )
}
