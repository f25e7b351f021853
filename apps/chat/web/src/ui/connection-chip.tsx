import type { Chat } from '../state/chat.js'
import { useNow } from './hooks.js'
import { useText } from './text-context.js'

export function ConnectionChip({ chat }: { chat: Chat }) {
  const { t } = useText()
  const { link } = chat
  const now = useNow(250, link.state === 'waiting')
  const missing = chat.catchingUp
  const waiting = chat.outbox.waiting

  let kind: 'good' | 'busy' | 'bad' = 'busy'
  let words = t('connection.connecting')
  let more = ''
  if (link.state === 'open') {
    if (!chat.welcomed) kind = 'busy'
    else if (missing > 0) words = t('connection.catchingUp', { n: missing })
    else {
      kind = 'good'
      words = t('connection.connected')
    }
  } else if (link.state === 'waiting') {
    const seconds = Math.max(1, Math.ceil((link.retryAt - now) / 1000))
    if (waiting > 0 || !navigator.onLine) {
      kind = 'bad'
      words = t('connection.waiting', { n: waiting })
      more = t('connection.reconnecting', { n: seconds })
    } else words = t('connection.reconnecting', { n: seconds })
  }

  const state = link.state === 'open' ? (missing > 0 ? 'catching-up' : 'connected') : link.state
  return (
    <button
      type="button"
      class={`connection ${kind} ${link.state === 'waiting' ? 'long' : ''}`}
      data-testid="connection"
      data-state={state}
      title={link.state === 'waiting' ? t('connection.retry') : more}
      onClick={() => chat.retryNow()}
    >
      <span class="dot" aria-hidden="true" />
      <span>{words}</span>
      {more && <span class="muted">{more}</span>}
    </button>
  )
}
