import { useCallback, useEffect, useState } from 'preact/hooks'
import { preferences } from '../preferences.js'
import type { Chat } from '../state/chat.js'
import { BellPanel } from './bell-panel.js'
import { Conversation } from './conversation.js'
import { DetailsPanel } from './details-panel.js'
import { useChat, useMedia } from './hooks.js'
import { KeyboardMap } from './keyboard-map.js'
import { MentionToast } from './mention-toast.js'
import { RoomsPane, sorted } from './rooms-pane.js'
import { SearchPanel } from './search-panel.js'
import type { Settings } from './settings.js'
import { useText } from './text-context.js'
import type { Panel, Target } from './view.js'

export function Shell({ chat, settings, onLeave }: { chat: Chat; settings: Settings; onLeave: () => void }) {
  const { t } = useText()
  useChat(chat)
  const wide = useMedia('(min-width: 1100px)')
  const narrow = useMedia('(max-width: 699px)')
  const [panel, setPanel] = useState<Panel | null>(() => (preferences.details() && wide ? 'details' : null))
  const [target, setTarget] = useState<Target | null>(null)
  const [keys, setKeys] = useState(false)
  const room = chat.current
  const { unread } = chat

  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread > 99 ? '99+' : unread}) ` : ''}${room ? `${room.name} · ` : ''}${t('app.name')}`
  }, [unread, room?.name, t])

  useEffect(() => {
    if (!wide) setPanel((open) => (open === 'details' ? null : open))
  }, [wide])

  const openRoom = useCallback(
    (name: string) => {
      preferences.keepRoom(name)
      chat.enter(name)
    },
    [chat],
  )

  const jump = useCallback(
    (name: string, seq: number) => {
      openRoom(name)
      setTarget({ room: name, seq, nonce: Date.now() })
      if (!matchMedia('(min-width: 1100px)').matches) setPanel(null)
    },
    [openRoom],
  )

  const toggle = useCallback((wanted: Panel) => {
    setPanel((open) => {
      const next = open === wanted ? null : wanted
      if (wanted === 'details') preferences.keepDetails(next === 'details')
      return next
    })
  }, [])

  const closePanel = useCallback(() => {
    setPanel((open) => {
      if (open === 'details') preferences.keepDetails(false)
      return null
    })
    document.getElementById('composer')?.focus()
  }, [])

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.isComposing) return
      const command = event.ctrlKey || event.metaKey
      if (command && !event.shiftKey && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        if (narrow) chat.leaveView()
        requestAnimationFrame(() => document.getElementById('room-filter')?.focus())
      } else if (command && event.shiftKey && event.key.toLowerCase() === 'f') {
        event.preventDefault()
        setPanel('search')
      } else if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
        event.preventDefault()
        const joined = sorted([...chat.rooms.values()].filter((candidate) => candidate.joined))
        const index = chat.current ? joined.indexOf(chat.current) : -1
        const next = joined[index + (event.key === 'ArrowUp' ? -1 : 1)]
        if (next) openRoom(next.name)
      } else if (event.key === '?' && !isField(event.target)) {
        event.preventDefault()
        setKeys(true)
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [chat, narrow, openRoom])

  return (
    <div class={`shell ${room ? 'in-room' : 'in-list'} ${panel ? 'with-panel' : ''}`}>
      <RoomsPane chat={chat} settings={settings} onOpen={openRoom} onKeys={() => setKeys(true)} onLeave={onLeave} />
      {room ? (
        <Conversation
          key={room.name}
          chat={chat}
          room={room}
          panel={panel}
          target={target?.room === room.name ? target : null}
          onPanel={toggle}
          onBack={() => chat.leaveView()}
        />
      ) : (
        <main class="conversation nothing">
          <div class="empty">
            <img src="/icon.svg" alt="" width="56" height="56" />
            <h2>{t('room.pick')}</h2>
            <p class="muted">{t('room.pickHint')}</p>
          </div>
        </main>
      )}
      {panel && <button type="button" class="scrim" tabIndex={-1} aria-hidden="true" onClick={closePanel} />}
      {panel === 'details' && room && <DetailsPanel chat={chat} room={room} onClose={closePanel} />}
      {panel === 'search' && <SearchPanel chat={chat} room={room} onJump={jump} onClose={closePanel} />}
      {panel === 'bell' && <BellPanel chat={chat} onJump={jump} onClose={closePanel} />}
      <MentionToast chat={chat} onJump={jump} />
      {keys && <KeyboardMap onClose={() => setKeys(false)} />}
    </div>
  )
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement
}
