import type { Chat } from '../state/chat.js'
import type { Room } from '../state/room.js'
import { Announcer } from './announcer.js'
import { Avatar } from './avatar.js'
import { Composer } from './composer.js'
import { ConnectionChip } from './connection-chip.js'
import { Icon } from './icons.js'
import { useText } from './text-context.js'
import { TimelineView } from './timeline-view.js'
import type { Panel, Target } from './view.js'

export interface ConversationProps {
  chat: Chat
  room: Room
  panel: Panel | null
  target: Target | null
  onPanel: (panel: Panel) => void
  onBack: () => void
}

export function Conversation({ chat, room, panel, target, onPanel, onBack }: ConversationProps) {
  const { t } = useText()
  const facts = [t('room.members', { n: room.memberCount })]
  if (room.online.length > 0) facts.push(t('room.online', { n: room.online.length }))
  return (
    <main class="conversation" aria-label={room.name}>
      <header class="room-header">
        <button type="button" class="icon-button back" aria-label={t('rooms.back')} onClick={onBack}>
          <Icon name="back" />
          {chat.unread > 0 && <span class="badge-dot" />}
        </button>
        <Avatar name={room.name} size={36} />
        <div class="room-heading">
          <h2 class="ellipsis">{room.name}</h2>
          <p class="muted ellipsis">{facts.join(' · ')}</p>
        </div>
        <div class="header-connection">
          <ConnectionChip chat={chat} />
        </div>
        <PanelButton panel="search" open={panel} onPanel={onPanel} label={t('search.open')} testId="search-open" />
        <PanelButton
          panel="bell"
          open={panel}
          onPanel={onPanel}
          label={t('bell.label', { n: chat.unseen })}
          testId="bell"
          count={chat.unseen}
        />
        <PanelButton panel="details" open={panel} onPanel={onPanel} label={t('room.details')} testId="details-open" />
      </header>
      {chat.link.state === 'waiting' && (
        <p class="banner" role="status">
          {t('connection.banner')}
        </p>
      )}
      {room.behind && (
        <p class="banner" role="status">
          {t('timeline.behind')}
        </p>
      )}
      <TimelineView chat={chat} room={room} target={target} />
      <TypingLine room={room} />
      <Composer chat={chat} room={room} />
      <Announcer chat={chat} room={room} />
    </main>
  )
}

function PanelButton(props: {
  panel: Panel
  open: Panel | null
  onPanel: (panel: Panel) => void
  label: string
  testId: string
  count?: number
}) {
  return (
    <button
      type="button"
      class="icon-button"
      data-testid={props.testId}
      aria-label={props.label}
      title={props.label}
      aria-pressed={props.open === props.panel}
      onClick={() => props.onPanel(props.panel)}
    >
      <Icon name={props.panel} />
      {props.count !== undefined && props.count > 0 && (
        <span class="badge">{props.count > 9 ? '9+' : props.count}</span>
      )}
    </button>
  )
}

/** Not announced: it would talk over the messages. Keeps its line when empty, so that nothing jumps. */
function TypingLine({ room }: { room: Room }) {
  const { t } = useText()
  const [a, b, ...more] = room.typing()
  let words = ''
  if (a && b && more.length > 0) words = t('typing.many', { n: 2 + more.length })
  else if (a && b) words = t('typing.two', { a, b })
  else if (a) words = t('typing.one', { a })
  return (
    <p class="typing" data-testid="typing" aria-hidden="true">
      {words && (
        <>
          <span class="typing-dots">
            <i />
            <i />
            <i />
          </span>
          {words}
        </>
      )}
    </p>
  )
}
