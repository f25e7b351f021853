import type { Chat } from '../state/chat.js'
import type { Row } from '../state/rows.js'
import { Icon } from './icons.js'
import { MessageText } from './message-text.js'
import { useText } from './text-context.js'

export function OutgoingRow({
  row,
  chat,
  time,
}: {
  row: Extract<Row, { kind: 'outgoing' }>
  chat: Chat
  time: string
}) {
  const { t } = useText()
  const { entry, first } = row
  const failed = entry.state === 'failed'
  const words = failed ? t('status.failed') : chat.link.state === 'open' ? t('status.sending') : t('status.waiting')
  return (
    <article
      class={`message own outgoing last ${first ? 'first' : ''} ${failed ? 'failed' : ''}`}
      data-testid="message"
      data-key={row.key}
      data-status={failed ? 'failed' : 'sending'}
      data-user={entry.user}
      aria-label={`${entry.user}, ${time}, ${words}`}
    >
      <div class="message-body">
        <div class="bubble-line">
          <div class="bubble">
            <MessageText text={entry.text} user={entry.user} />
          </div>
          <div class="meta">
            <span class={failed ? 'status failed' : 'status sending'} role="img" title={words} aria-label={words}>
              <Icon name={failed ? 'failed' : 'clock'} size={15} />
            </span>
            <time>{time}</time>
          </div>
        </div>
        {failed && (
          <div class="failure">
            <span class="bad">{t(`failure.${entry.failure ?? 'unavailable'}`)}</span>
            <button type="button" class="link" data-testid="retry" onClick={() => chat.retry(entry.clientId)}>
              {t('timeline.retry')}
            </button>
            <button type="button" class="link" onClick={() => void navigator.clipboard?.writeText(entry.text)}>
              {t('status.copy')}
            </button>
            <button type="button" class="link" onClick={() => chat.discard(entry.clientId)}>
              {t('status.delete')}
            </button>
          </div>
        )}
      </div>
    </article>
  )
}
