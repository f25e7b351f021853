import { useEffect, useRef, useState } from 'preact/hooks'
import type { Chat } from '../state/chat.js'
import { http, RequestFailed, type SearchPage } from '../state/http.js'
import type { Room } from '../state/room.js'
import { marked } from '../text/links.js'
import { exactTime, shortTime } from '../text/time.js'
import { Avatar } from './avatar.js'
import { Icon } from './icons.js'
import { PanelFrame } from './panel-frame.js'
import { useText } from './text-context.js'

const PAUSE = 200

type Outcome = { q: string; page: SearchPage } | { q: string; problem: string } | null

export function SearchPanel(props: {
  chat: Chat
  room: Room | null
  onJump: (room: string, seq: number) => void
  onClose: () => void
}) {
  const { room, onJump, onClose } = props
  const { language, t } = useText()
  const [q, setQ] = useState('')
  const [here, setHere] = useState(false)
  const [outcome, setOutcome] = useState<Outcome>(null)
  const [active, setActive] = useState(0)
  const input = useRef<HTMLInputElement>(null)
  const list = useRef<HTMLUListElement>(null)
  const scope = here && room ? room.name : undefined

  useEffect(() => input.current?.focus(), [])
  useEffect(() => {
    const wanted = q.trim().normalize('NFC')
    setActive(0)
    if (wanted === '') return setOutcome(null)
    const controller = new AbortController()
    const timer = setTimeout(() => {
      http
        .search({ q: wanted, room: scope }, controller.signal)
        .then((page) => setOutcome({ q: wanted, page }))
        .catch((error: unknown) => {
          if (controller.signal.aborted) return
          setOutcome({
            q: wanted,
            problem: error instanceof RequestFailed && error.message ? error.message : String(error),
          })
        })
    }, PAUSE)
    return () => {
      clearTimeout(timer)
      controller.abort()
    }
  }, [q, scope])

  const page = outcome && 'page' in outcome ? outcome.page : null
  const hits = page?.hits ?? []

  const more = async () => {
    if (!page?.cursor) return
    const next = await http.search({ q: outcome!.q, room: scope, before: page.cursor }).catch(() => null)
    if (next) setOutcome({ q: outcome!.q, page: { ...next, hits: [...hits, ...next.hits] } })
  }

  const onKey = (event: KeyboardEvent) => {
    if (event.isComposing) return
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      const next = Math.max(0, Math.min(hits.length - 1, active + (event.key === 'ArrowDown' ? 1 : -1)))
      setActive(next)
      list.current?.children[next]?.scrollIntoView({ block: 'nearest' })
    } else if (event.key === 'Enter' && hits[active]) {
      event.preventDefault()
      onJump(hits[active]!.message.room, hits[active]!.message.seq)
    }
  }

  return (
    <PanelFrame title={t('search.title')} closeLabel={t('search.close')} onClose={onClose}>
      <search class="search-head" onKeyDown={onKey}>
        <label class="search-field">
          <Icon name="search" size={18} />
          <input
            ref={input}
            type="search"
            data-testid="search-input"
            value={q}
            placeholder={t('search.placeholder')}
            aria-label={t('search.open')}
            onInput={(event) => setQ(event.currentTarget.value)}
          />
        </label>
        <div class="chips">
          <button type="button" class="chip" aria-pressed={!scope} onClick={() => setHere(false)}>
            {t('search.everywhere')}
          </button>
          {room && (
            <button type="button" class="chip" aria-pressed={scope !== undefined} onClick={() => setHere(true)}>
              {t('search.thisRoom')}
            </button>
          )}
        </div>
      </search>
      <p class="search-count muted" role="status">
        {page &&
          hits.length > 0 &&
          t(page.more ? 'search.countMore' : 'search.count', { n: hits.length, ms: Math.round(page.tookMs) })}
      </p>
      {outcome === null && (
        <div class="empty small">
          <Icon name="search" size={28} />
          <h3>{t('search.tips')}</h3>
          <p class="muted">{t('search.tipsMore')}</p>
        </div>
      )}
      {outcome && 'problem' in outcome && <p class="bad pad">{t('search.failed', { reason: outcome.problem })}</p>}
      {page && hits.length === 0 && (
        <div class="empty small">
          <h3>{t('search.none', { q: outcome!.q })}</h3>
          <p class="muted">{t('search.noneHint')}</p>
        </div>
      )}
      <ul class="hits" ref={list}>
        {hits.map(({ message, ranges }, index) => (
          <li key={`${message.room}/${message.seq}`}>
            <button
              type="button"
              class={index === active ? 'hit active' : 'hit'}
              data-testid="search-hit"
              data-seq={message.seq}
              onClick={() => onJump(message.room, message.seq)}
            >
              <Avatar name={message.user} size={32} />
              <span class="hit-words">
                <span class="hit-top">
                  <span class="strong ellipsis">{message.user}</span>
                  <span class="muted ellipsis">{message.room}</span>
                  <time
                    class="muted"
                    dateTime={new Date(message.at).toISOString()}
                    title={exactTime(language, message.at)}
                  >
                    {shortTime(language, message.at, Date.now())}
                  </time>
                </span>
                <span class="hit-text">
                  {marked(message.text, ranges).map((piece, place) =>
                    piece.hit ? <mark key={place}>{piece.text}</mark> : piece.text,
                  )}
                </span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {page?.more && (
        <button type="button" class="quiet wide more" onClick={() => void more()}>
          {t('search.more')}
        </button>
      )}
    </PanelFrame>
  )
}
