import { useEffect, useState } from 'preact/hooks'
import type { ChatNotification } from '../../../server/protocol.js'
import type { Chat } from '../state/chat.js'
import { Avatar } from './avatar.js'
import { useText } from './text-context.js'

const SHOWN_FOR = 6_000

/** Shown when the room of the mention is not the one on screen. */
export function MentionToast({ chat, onJump }: { chat: Chat; onJump: (room: string, seq: number) => void }) {
  const { t } = useText()
  const [shown, setShown] = useState<ChatNotification | null>(null)
  useEffect(
    () =>
      chat.onMention((notification) => {
        if (chat.current?.name !== notification.room || !document.hasFocus()) setShown(notification)
      }),
    [chat],
  )
  useEffect(() => {
    if (!shown) return
    const timer = setTimeout(() => setShown(null), SHOWN_FOR)
    return () => clearTimeout(timer)
  }, [shown])
  return (
    <div class="toasts" role="status">
      {shown && (
        <button
          type="button"
          class="toast"
          data-testid="toast"
          onClick={() => {
            setShown(null)
            onJump(shown.room, shown.seq)
          }}
        >
          <Avatar name={shown.from} size={32} />
          <span class="toast-words">
            <strong>{t('bell.mention', { from: shown.from, room: shown.room })}</strong>
            <span class="ellipsis">{shown.text}</span>
          </span>
        </button>
      )}
    </div>
  )
}
