import { useEffect, useRef, useState } from 'preact/hooks'
import { MAX_NAME } from '../../../server/protocol.js'
import { Icon } from './icons.js'
import type { Settings } from './settings.js'
import { SettingsBar } from './settings-bar.js'
import { useText } from './text-context.js'

const SUGGESTED = { ko: ['여울 광장', '개발 이야기', '점심'], en: ['lobby', 'engineering', 'lunch'] }

export function isName(text: string): boolean {
  const length = Array.from(text).length
  return length >= 1 && length <= MAX_NAME && !/[/\p{Cc}\p{Cf}]/u.test(text)
}

export function Welcome({ settings, onEnter }: { settings: Settings; onEnter: (name: string, room: string) => void }) {
  const { language, t } = useText()
  const [existing, setExisting] = useState<string[]>([])
  const [name, setName] = useState('')
  const [room, setRoom] = useState('')
  const [invalid, setInvalid] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  const suggestions = [...new Set([...existing, ...SUGGESTED[language]])].slice(0, 5)
  const chosen = room.trim() || suggestions[0]!

  useEffect(() => input.current?.focus(), [])
  useEffect(() => {
    const controller = new AbortController()
    fetch('/api/rooms?user=guest', { signal: controller.signal })
      .then((response) => (response.ok ? response.json() : null))
      .then((answer: { rooms?: { name: string }[] } | null) =>
        setExisting((answer?.rooms ?? []).map((known) => known.name)),
      )
      .catch(() => {})
    return () => controller.abort()
  }, [])

  const submit = (event: Event) => {
    event.preventDefault()
    const trimmed = name.trim().normalize('NFC')
    if (!isName(trimmed) || !isName(chosen)) {
      setInvalid(true)
      input.current?.focus()
      return
    }
    onEnter(trimmed, chosen.normalize('NFC'))
  }

  return (
    <main class="welcome">
      <form class="welcome-card" onSubmit={submit} aria-labelledby="welcome-title" noValidate>
        <img src="/icon.svg" alt="" width="52" height="52" />
        <h1 id="welcome-title">{t('welcome.title')}</h1>
        <p class="muted">{t('app.tagline')}</p>
        <label class="field">
          <span>{t('welcome.name')}</span>
          <input
            ref={input}
            data-testid="name-input"
            value={name}
            maxLength={MAX_NAME}
            autocomplete="nickname"
            aria-invalid={invalid}
            aria-describedby="name-hint"
            onInput={(event) => {
              setName(event.currentTarget.value)
              setInvalid(false)
            }}
          />
          <small id="name-hint" class={invalid ? 'bad' : 'muted'}>
            {invalid ? t('welcome.nameInvalid') : t('welcome.nameHint')}
          </small>
        </label>
        <label class="field">
          <span>{t('welcome.room')}</span>
          <input
            data-testid="room-input"
            value={room}
            maxLength={MAX_NAME}
            placeholder={suggestions[0]}
            onInput={(event) => setRoom(event.currentTarget.value)}
          />
          <small class="muted">{t('welcome.roomHint')}</small>
        </label>
        <div class="chips">
          {suggestions.map((suggestion) => (
            <button
              type="button"
              class="chip"
              key={suggestion}
              aria-pressed={suggestion === chosen}
              onClick={() => setRoom(suggestion)}
            >
              {suggestion}
            </button>
          ))}
        </div>
        <button class="primary wide" type="submit" data-testid="enter">
          {t('welcome.enter')}
          <Icon name="send" size={18} />
        </button>
      </form>
      <SettingsBar settings={settings} />
    </main>
  )
}
