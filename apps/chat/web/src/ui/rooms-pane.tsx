import { useEffect, useRef, useState } from 'preact/hooks'
import { preferences } from '../preferences.js'
import type { Chat } from '../state/chat.js'
import { RequestFailed } from '../state/http.js'
import type { Room } from '../state/room.js'
import { exactTime, shortTime } from '../text/time.js'
import { Avatar } from './avatar.js'
import { ConnectionChip } from './connection-chip.js'
import { useNow } from './hooks.js'
import { Icon } from './icons.js'
import type { Settings } from './settings.js'
import { SettingsBar } from './settings-bar.js'
import { useText } from './text-context.js'
import { isName } from './welcome.js'

export interface RoomsPaneProps {
  chat: Chat
  settings: Settings
  onOpen: (room: string) => void
  onKeys: () => void
  onLeave: () => void
}

export function RoomsPane({ chat, settings, onOpen, onKeys, onLeave }: RoomsPaneProps) {
  const { t } = useText()
  const [filter, setFilter] = useState('')
  const now = useNow(60_000)
  const rooms = sorted([...chat.rooms.values()])
  const wanted = filter.trim().normalize('NFC').toLowerCase()
  const shown =
    wanted === '' ? rooms : rooms.filter((room) => room.name.normalize('NFC').toLowerCase().includes(wanted))
  const joined = shown.filter((room) => room.joined)
  const others = shown.filter((room) => !room.joined)

  const list = (heading: string, members: Room[]) =>
    members.length > 0 && (
      <section aria-label={heading}>
        <h2 class="list-heading">{heading}</h2>
        <ul>
          {members.map((room) => (
            <RoomRow key={room.name} room={room} chat={chat} now={now} onOpen={onOpen} />
          ))}
        </ul>
      </section>
    )

  return (
    <nav class="rooms" aria-label={t('rooms.title')}>
      <header class="rooms-header">
        <img src="/icon.svg" alt="" width="28" height="28" />
        <h1>{t('app.name')}</h1>
        <ConnectionChip chat={chat} />
      </header>
      <div class="rooms-tools">
        <label class="search-field">
          <Icon name="search" size={18} />
          <input
            id="room-filter"
            type="search"
            value={filter}
            placeholder={t('rooms.filter')}
            aria-label={t('rooms.filter')}
            onInput={(event) => setFilter(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' || event.isComposing || !shown[0]) return
              onOpen(shown[0].name)
              setFilter('')
            }}
          />
        </label>
      </div>
      <div class="rooms-list" data-testid="room-list">
        {!chat.welcomed && rooms.length === 0 && <Skeleton />}
        {chat.welcomed && rooms.length === 0 && <p class="hint">{t('rooms.empty')}</p>}
        {rooms.length > 0 && shown.length === 0 && <p class="hint">{t('rooms.none')}</p>}
        {list(t('rooms.mine'), joined)}
        {list(t('rooms.others'), others)}
      </div>
      <NewRoom chat={chat} onOpen={onOpen} onKeys={onKeys} />
      <footer class="rooms-footer">
        <button type="button" class="account" title={t('settings.leave')} onClick={onLeave}>
          <Avatar name={chat.user} size={28} online={chat.link.state === 'open'} />
          <span class="ellipsis">{chat.user}</span>
          <span class="sr-only">{t('settings.leave')}</span>
        </button>
        <SettingsBar settings={settings} />
      </footer>
    </nav>
  )
}

/** Newest conversation first; rooms without a message by name. */
export function sorted(rooms: Room[]): Room[] {
  return rooms.sort((a, b) => (b.last?.at ?? 0) - (a.last?.at ?? 0) || a.name.localeCompare(b.name))
}

function RoomRow({ room, chat, now, onOpen }: { room: Room; chat: Chat; now: number; onOpen: (room: string) => void }) {
  const { language, t } = useText()
  const { last, unread } = room
  const draft = preferences.draft(room.name)
  const active = chat.current === room
  const line = last
    ? last.user === chat.user
      ? t('rooms.you', { text: last.text })
      : `${last.user}: ${last.text}`
    : t('rooms.noMessages')
  return (
    <li>
      <button
        type="button"
        class="room-row"
        data-testid={`room-${room.name}`}
        aria-current={active ? 'true' : undefined}
        onClick={() => onOpen(room.name)}
      >
        <Avatar name={room.name} size={40} />
        <span class="room-words">
          <span class="room-top">
            <span class={unread > 0 ? 'room-name strong' : 'room-name'}>{room.name}</span>
            {last && (
              <time class="muted" dateTime={new Date(last.at).toISOString()} title={exactTime(language, last.at)}>
                {shortTime(language, last.at, now)}
              </time>
            )}
          </span>
          <span class="room-bottom">
            <span class={draft && !active ? 'room-line draft' : 'room-line'}>
              {draft && !active ? `✎ ${draft}` : line}
            </span>
            {unread > 0 && (
              <span class="pill" data-testid="unread" role="img" aria-label={t('rooms.unread', { n: unread })}>
                {unread > 99 ? '99+' : unread}
              </span>
            )}
          </span>
        </span>
      </button>
    </li>
  )
}

function NewRoom({ chat, onOpen, onKeys }: Pick<RoomsPaneProps, 'chat' | 'onOpen' | 'onKeys'>) {
  const { t } = useText()
  const [open, setOpen] = useState(false)
  const [name, setName] = useState('')
  const [problem, setProblem] = useState('')
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (open) input.current?.focus()
  }, [open])

  if (!open) {
    return (
      <div class="new-room">
        <button type="button" class="quiet wide" data-testid="new-room" onClick={() => setOpen(true)}>
          <Icon name="plus" size={18} />
          {t('rooms.new')}
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label={t('keys.title')}
          title={`${t('keys.title')} (?)`}
          onClick={onKeys}
        >
          <Icon name="keyboard" />
        </button>
      </div>
    )
  }
  const close = () => {
    setOpen(false)
    setName('')
    setProblem('')
  }
  const submit = async (event: Event) => {
    event.preventDefault()
    const wanted = name.trim().normalize('NFC')
    if (!isName(wanted)) return setProblem(t('welcome.nameInvalid'))
    try {
      await chat.createRoom(wanted)
      onOpen(wanted)
      close()
    } catch (error) {
      setProblem(t('rooms.failed', { reason: error instanceof RequestFailed ? error.message : String(error) }))
    }
  }
  return (
    <form class="new-room open" onSubmit={submit} onKeyDown={(event) => event.key === 'Escape' && close()}>
      <input
        ref={input}
        data-testid="new-room-name"
        value={name}
        aria-label={t('rooms.newName')}
        placeholder={t('rooms.newName')}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      {problem && (
        <small class="bad" role="alert">
          {problem}
        </small>
      )}
      <div class="buttons">
        <button type="button" class="quiet" onClick={close}>
          {t('rooms.cancel')}
        </button>
        <button type="submit" class="primary" data-testid="create-room">
          {t('rooms.create')}
        </button>
      </div>
    </form>
  )
}

function Skeleton() {
  return (
    <ul class="skeleton" aria-hidden="true">
      {Array.from({ length: 8 }, (_, index) => (
        <li key={index}>
          <span class="bone round" />
          <span class="bone" style={{ width: `${70 - ((index * 17) % 40)}%` }} />
        </li>
      ))}
    </ul>
  )
}
