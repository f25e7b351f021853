import { Component } from 'preact'
import type { MessageStatus, Row } from '../state/rows.js'
import type { Key, Language, Translate } from '../text/strings.js'
import { clockTime, exactTime } from '../text/time.js'
import { Avatar } from './avatar.js'
import { Icon } from './icons.js'
import { MessageText } from './message-text.js'

interface Props {
  row: Extract<Row, { kind: 'message' }>
  language: Language
  t: Translate
  user: string
  /** One message of the list is in the tab order; arrows go on from it. */
  tabbable: boolean
}

export const STATUS_ICONS = {
  sending: 'clock',
  failed: 'failed',
  logged: 'tick',
  stored: 'ticks',
  read: 'ticks',
} as const

export const statusKey = (status: MessageStatus): Key => `status.${status}`

/** Drawn again only when something it shows has changed: a long conversation re-renders on every arrival. */
export class MessageRow extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    const a = this.props.row
    const b = next.row
    return (
      a.message.text !== b.message.text ||
      a.first !== b.first ||
      a.last !== b.last ||
      a.status !== b.status ||
      a.unread !== b.unread ||
      this.props.tabbable !== next.tabbable ||
      this.props.language !== next.language
    )
  }

  override render({ row, language, t, user, tabbable }: Props) {
    const { message, own, first, last, status, unread } = row
    const time = clockTime(language, message.at)
    const statusWords = t(statusKey(status))
    return (
      <article
        class={`message ${own ? 'own' : 'other'} ${first ? 'first' : ''} ${last ? 'last' : ''}`}
        data-testid="message"
        data-key={row.key}
        data-seq={message.seq}
        data-status={own ? status : undefined}
        data-user={message.user}
        tabIndex={tabbable ? 0 : -1}
        aria-label={`${message.user}, ${time}${own ? `, ${statusWords}` : ''}`}
      >
        {!own && <div class="message-side">{first && <Avatar name={message.user} size={36} />}</div>}
        <div class="message-body">
          {!own && first && <div class="author">{message.user}</div>}
          <div class="bubble-line">
            <div class="bubble">
              <MessageText text={message.text} user={user} />
            </div>
            <div class="meta">
              <span class="marks">
                {unread > 0 && (
                  <span
                    class="unread-number"
                    data-testid="message-unread"
                    role="img"
                    title={t('timeline.unread', { n: unread })}
                    aria-label={t('timeline.unread', { n: unread })}
                  >
                    {unread}
                  </span>
                )}
                {own && (
                  <span class={`status ${status}`} role="img" title={statusWords} aria-label={statusWords}>
                    <Icon name={STATUS_ICONS[status]} size={15} />
                  </span>
                )}
              </span>
              {last && (
                <time dateTime={new Date(message.at).toISOString()} title={exactTime(language, message.at)}>
                  {time}
                </time>
              )}
            </div>
          </div>
        </div>
      </article>
    )
  }
}
