import { useEffect, useState } from 'preact/hooks'
import type { Chat } from '../state/chat.js'
import { exactTime, shortTime } from '../text/time.js'
import { Avatar } from './avatar.js'
import { Icon } from './icons.js'
import { MessageText } from './message-text.js'
import { PanelFrame } from './panel-frame.js'
import { useText } from './text-context.js'

export function BellPanel({
  chat,
  onJump,
  onClose,
}: {
  chat: Chat
  onJump: (room: string, seq: number) => void
  onClose: () => void
}) {
  const { language, t } = useText()
  // What was new when the panel opened stays marked while one looks at it.
  const [fresh] = useState(
    () => new Set(chat.notifications.filter((notification) => !notification.seen).map(({ id }) => id)),
  )
  useEffect(() => {
    void chat.markNotificationsSeen()
  }, [chat, chat.unseen])

  return (
    <PanelFrame title={t('bell.title')} closeLabel={t('search.close')} onClose={onClose}>
      {chat.notifications.length === 0 && (
        <div class="empty small">
          <Icon name="at" size={28} />
          <h3>{t('bell.empty')}</h3>
          <p class="muted">{t('bell.emptyHint', { user: chat.user })}</p>
        </div>
      )}
      <ul class="hits">
        {chat.notifications.map((notification) => (
          <li key={notification.id}>
            <button
              type="button"
              class={fresh.has(notification.id) ? 'hit fresh' : 'hit'}
              data-testid="notification"
              onClick={() => onJump(notification.room, notification.seq)}
            >
              <Avatar name={notification.from} size={32} />
              <span class="hit-words">
                <span class="hit-top">
                  <span class="strong ellipsis">{notification.from}</span>
                  <span class="muted ellipsis">{notification.room}</span>
                  <time
                    class="muted"
                    dateTime={new Date(notification.at).toISOString()}
                    title={exactTime(language, notification.at)}
                  >
                    {shortTime(language, notification.at, Date.now())}
                  </time>
                </span>
                <span class="hit-text">
                  <MessageText text={notification.text} user={chat.user} />
                </span>
              </span>
            </button>
          </li>
        ))}
      </ul>
    </PanelFrame>
  )
}
