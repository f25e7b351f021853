import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Chat } from '../state/chat.js'
import type { Room } from '../state/room.js'
import { type Row, rows } from '../state/rows.js'
import { clockTime, longDay } from '../text/time.js'
import { GapRow } from './gap-row.js'
import { Icon } from './icons.js'
import { MessageRow } from './message-row.js'
import { OutgoingRow } from './outgoing-row.js'
import { useText } from './text-context.js'
import type { Target } from './view.js'

/** So many of the newest messages are drawn at first; scrolling up draws more, being at the end draws fewer again. */
const WINDOW = 120
const STEP = 80
/** Earlier messages are fetched when the top is nearer than this. */
const NEAR_TOP = 600
/** This near to the end counts as being there. */
const NEAR_END = 48

export function TimelineView({ chat, room, target }: { chat: Chat; room: Room; target: Target | null }) {
  const { language, t } = useText()
  const scroller = useRef<HTMLDivElement>(null)
  const follow = useRef(room.dividerAfter === null)
  const entered = useRef(false)
  const anchor = useRef<{ key: string; offset: number } | null>(null)
  const [atEnd, setAtEnd] = useState(true)
  const [seenAtEnd, setSeenAtEnd] = useState(room.timeline.top)
  const [shown, setShown] = useState(WINDOW)
  const [flash, setFlash] = useState(0)

  const messages = room.timeline.messages()
  // With a divider above, everything unread is drawn, however much it is.
  const unreadFrom = room.dividerAfter === null ? Number.POSITIVE_INFINITY : room.dividerAfter - 20
  const from = Math.min(messages[Math.max(0, messages.length - shown)]?.seq ?? 0, unreadFrom)
  const list = rows({
    timeline: room.timeline,
    outgoing: chat.outbox.of(room.name),
    user: chat.user,
    members: room.memberCount,
    reads: room.reads,
    dividerAfter: room.dividerAfter,
    from,
  })
  const hidden = messages.length > 0 && messages[0]!.seq < from

  const below = useMemo(
    () => (atEnd ? 0 : messages.filter((message) => message.seq > seenAtEnd && message.user !== chat.user).length),
    [messages, atEnd, seenAtEnd, chat.user],
  )

  const older = () => {
    if (hidden) setShown((count) => count + STEP)
    else if (room.older === 'some') void chat.loadOlder(room)
  }

  const remember = () => {
    const box = scroller.current
    if (!box) return
    const end = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END
    follow.current = end
    if (end) setSeenAtEnd(room.timeline.top)
    setAtEnd(end)
    anchor.current = null
    for (const child of box.children) {
      const element = child as HTMLElement
      if (!element.dataset.key || element.offsetTop + element.offsetHeight <= box.scrollTop) continue
      anchor.current = { key: element.dataset.key, offset: element.offsetTop - box.scrollTop }
      break
    }
    if (box.scrollTop < NEAR_TOP && box.scrollHeight > box.clientHeight) older()
    noteDisplayed()
  }

  /** The read position moves to the last message on screen, and never over a hole. */
  const noteDisplayed = () => {
    const box = scroller.current
    if (!box || document.visibilityState !== 'visible' || !document.hasFocus()) return
    const bottom = box.scrollTop + box.clientHeight
    let last = 0
    for (
      let element = box.lastElementChild as HTMLElement | null;
      element;
      element = element.previousElementSibling as HTMLElement | null
    ) {
      const seq = Number(element.dataset.seq)
      if (!seq || element.offsetTop + Math.min(24, element.offsetHeight) > bottom) continue
      last = seq
      break
    }
    const hole = room.timeline.gaps().find((gap) => gap.from > room.read)
    if (hole) last = Math.min(last, hole.from - 1)
    if (last > 0) chat.displayed(room, last)
  }

  const toEnd = () => {
    const box = scroller.current
    if (!box) return
    follow.current = true
    setShown(WINDOW)
    box.scrollTop = box.scrollHeight
  }

  // After every drawing: stay at the end, or keep the first visible row where it was.
  useLayoutEffect(() => {
    const box = scroller.current
    if (!box) return
    if (!entered.current && messages.length > 0) {
      entered.current = true
      const divider = box.querySelector<HTMLElement>('.divider')
      follow.current = divider === null
      if (divider) box.scrollTop = divider.offsetTop - box.clientHeight / 3
    }
    if (follow.current) box.scrollTop = box.scrollHeight
    else if (anchor.current) {
      const { key, offset } = anchor.current
      const element = box.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)
      if (element) {
        const moved = element.offsetTop - box.scrollTop - offset
        if (moved !== 0) box.scrollTop += moved
      }
    }
    if (box.scrollHeight <= box.clientHeight && (hidden || room.older === 'some') && messages.length > 0) older()
    noteDisplayed()
  })

  // The composer grows, a keyboard opens, a font arrives: being at the end stays being at the end.
  useEffect(() => {
    const box = scroller.current
    if (!box) return
    const observer = new ResizeObserver(() => {
      if (follow.current) box.scrollTop = box.scrollHeight
    })
    observer.observe(box)
    const looked = () => noteDisplayed()
    addEventListener('focus', looked)
    document.addEventListener('visibilitychange', looked)
    return () => {
      observer.disconnect()
      removeEventListener('focus', looked)
      document.removeEventListener('visibilitychange', looked)
    }
  }, [room])

  // Sending brings the own message into view.
  const sending = chat.outbox.of(room.name).length
  const sendingBefore = useRef(sending)
  useLayoutEffect(() => {
    if (sending > sendingBefore.current) toEnd()
    sendingBefore.current = sending
  }, [sending])

  // Jump to a message: load around it, draw down to it, scroll, flash once.
  useEffect(() => {
    if (!target) return
    let current = true
    follow.current = false
    entered.current = true
    void chat.loadAround(room, target.seq).then((found) => {
      if (!current || !found) return
      const held = room.timeline.messages()
      const index = held.findIndex((message) => message.seq >= target.seq)
      setShown((count) => Math.max(count, held.length - index + 40))
      anchor.current = null
      setFlash(target.nonce)
    })
    return () => {
      current = false
    }
  }, [target?.nonce])
  useLayoutEffect(() => {
    if (!target || flash !== target.nonce) return
    const element = scroller.current?.querySelector<HTMLElement>(`[data-seq="${target.seq}"]`)
    if (!element) return
    element.scrollIntoView({ block: 'center' })
    element.classList.remove('flash')
    void element.offsetWidth
    element.classList.add('flash')
    element.focus({ preventScroll: true })
  }, [flash])

  const moveFocus = (event: KeyboardEvent) => {
    const focused = document.activeElement as HTMLElement | null
    if (event.key === 'Escape') {
      document.getElementById('composer')?.focus()
      return
    }
    if (!focused?.matches('[data-seq]')) return
    if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
      event.preventDefault()
      const articles = [...scroller.current!.querySelectorAll<HTMLElement>('[data-seq]')]
      articles[articles.indexOf(focused) + (event.key === 'ArrowUp' ? -1 : 1)]?.focus()
    } else if (event.key === 'c' && !event.ctrlKey && !event.metaKey) {
      const message = room.timeline.get(Number(focused.dataset.seq))
      if (message) void navigator.clipboard?.writeText(message.text)
    }
  }

  const lastSeq = messages.at(-1)?.seq
  const caughtUp = room.timeline.liveAfter !== null && room.timeline.top === 0
  return (
    <div class="timeline-frame">
      <div
        ref={scroller}
        class="timeline"
        role="log"
        aria-live="off"
        aria-label={t('room.log', { room: room.name })}
        data-testid="timeline"
        onScroll={remember}
        onKeyDown={moveFocus}
      >
        <div class="timeline-top">
          {room.older === 'loading' && <span class="muted">{t('timeline.older')}</span>}
          {room.older === 'failed' && (
            <span class="bad">
              {t('timeline.olderFailed')}{' '}
              <button type="button" class="link" onClick={() => void chat.loadOlder(room)}>
                {t('timeline.retry')}
              </button>
            </span>
          )}
          {messages.length > 0 && messages[0]!.seq === 1 && !hidden && (
            <span class="muted">{t('room.beginning', { room: room.name })}</span>
          )}
        </div>
        {messages.length === 0 && sending === 0 && !caughtUp && room.timeline.top > 0 && <Bones />}
        {caughtUp && sending === 0 && (
          <div class="empty">
            <img src="/icon.svg" alt="" width="48" height="48" />
            <h3>{t('room.empty')}</h3>
            <p class="muted">{t('room.emptyHint')}</p>
          </div>
        )}
        {list.map((row) => renderRow(row))}
      </div>
      {!atEnd && (
        <button type="button" class={below > 0 ? 'jump fresh' : 'jump'} data-testid="jump" onClick={toEnd}>
          <Icon name="down" size={18} />
          <span class={below > 0 ? '' : 'sr-only'}>{t('timeline.jump', { n: below })}</span>
        </button>
      )}
    </div>
  )

  function renderRow(row: Row) {
    switch (row.kind) {
      case 'day':
        return (
          <div class="day" key={row.key} data-key={row.key}>
            <time dateTime={new Date(row.at).toISOString()}>{longDay(language, row.at)}</time>
          </div>
        )
      case 'divider':
        return (
          <div class="divider" key={row.key} data-key={row.key}>
            <span>{t('timeline.new')}</span>
          </div>
        )
      case 'gap':
        return <GapRow key={row.key} chat={chat} room={room} gap={row} />
      case 'message':
        return (
          <MessageRow
            key={row.key}
            row={row}
            language={language}
            t={t}
            user={chat.user}
            tabbable={row.message.seq === lastSeq}
          />
        )
      case 'outgoing':
        return <OutgoingRow key={row.key} row={row} chat={chat} time={clockTime(language, row.entry.at)} />
    }
  }
}

function Bones() {
  return (
    <div class="bones" aria-hidden="true">
      {Array.from({ length: 8 }, (_, index) => (
        <span
          key={index}
          class={index % 3 === 2 ? 'bone right' : 'bone'}
          style={{ width: `${28 + ((index * 23) % 37)}%` }}
        />
      ))}
    </div>
  )
}
