import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { MAX_TEXT } from '../../../server/protocol.js'
import { preferences } from '../preferences.js'
import type { Chat } from '../state/chat.js'
import { type FieldEvent, idle, step } from '../state/enter-key.js'
import type { Room } from '../state/room.js'
import { useNow } from './hooks.js'
import { Icon } from './icons.js'
import { useText } from './text-context.js'

const WARN_AT = MAX_TEXT * 0.9

/**
 * The field is not controlled: setting its value while an input method composes would break the syllable. The text is read when
 * it is needed and mirrored only as its length.
 */
export function Composer({ chat, room }: { chat: Chat; room: Room }) {
  const { t } = useText()
  const field = useRef<HTMLTextAreaElement>(null)
  const [length, setLength] = useState(() => preferences.draft(room.name).length)
  const limited = chat.limitedUntil
  const now = useNow(250, limited > Date.now())
  const countdown = Math.max(0, Math.ceil((limited - now) / 1000))
  const over = length > MAX_TEXT

  const fit = () => {
    const element = field.current
    if (!element) return
    element.style.height = 'auto'
    element.style.height = `${element.scrollHeight}px`
  }

  const send = () => {
    const element = field.current
    if (!element) return
    const text = element.value.trim()
    if (text === '' || text.length > MAX_TEXT || chat.limitedUntil > Date.now()) return
    element.value = ''
    preferences.keepDraft(room.name, '')
    setLength(0)
    fit()
    chat.send(room, text)
    element.focus()
  }

  useLayoutEffect(() => {
    const element = field.current
    if (!element) return
    element.value = preferences.draft(room.name)
    fit()
    // A touch keyboard that opens by itself covers what one came to read.
    if (matchMedia('(hover: hover)').matches) element.focus()
  }, [room])

  useEffect(() => {
    const element = field.current
    if (!element) return
    let state = idle
    const feed = (event: Event, fact: FieldEvent) => {
      const next = step(state, fact)
      state = next.state
      if (next.action === 'pass') return
      event.preventDefault()
      if (next.action === 'send') send()
      else if (next.action === 'send-after-commit') setTimeout(send)
    }
    const onKeyDown = (event: KeyboardEvent) => {
      const { key, code, keyCode, isComposing, shiftKey, repeat } = event
      feed(event, { type: 'keydown', key, code, keyCode, isComposing, shift: shiftKey, repeat })
    }
    const onKeyUp = (event: KeyboardEvent) => feed(event, { type: 'keyup', key: event.key, code: event.code })
    const onStart = (event: Event) => feed(event, { type: 'compositionstart' })
    const onUpdate = (event: CompositionEvent) => feed(event, { type: 'compositionupdate', data: event.data ?? '' })
    const onEnd = (event: CompositionEvent) => feed(event, { type: 'compositionend', data: event.data ?? '' })
    const onBefore = (event: InputEvent) => feed(event, { type: 'beforeinput', inputType: event.inputType })
    element.addEventListener('keydown', onKeyDown)
    element.addEventListener('keyup', onKeyUp)
    element.addEventListener('compositionstart', onStart)
    element.addEventListener('compositionupdate', onUpdate)
    element.addEventListener('compositionend', onEnd)
    element.addEventListener('beforeinput', onBefore)
    return () => {
      element.removeEventListener('keydown', onKeyDown)
      element.removeEventListener('keyup', onKeyUp)
      element.removeEventListener('compositionstart', onStart)
      element.removeEventListener('compositionupdate', onUpdate)
      element.removeEventListener('compositionend', onEnd)
      element.removeEventListener('beforeinput', onBefore)
    }
  }, [chat, room])

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <div class={over ? 'composer-box over' : 'composer-box'}>
        <textarea
          ref={field}
          id="composer"
          data-testid="composer"
          rows={1}
          aria-label={t('composer.label', { room: room.name })}
          placeholder={t('composer.placeholder')}
          onInput={(event) => {
            const { value } = event.currentTarget
            preferences.keepDraft(room.name, value)
            setLength(value.length)
            fit()
            if (value !== '') chat.typing(room)
          }}
        />
        <button
          type="submit"
          class="send"
          data-testid="send"
          disabled={over || length === 0 || countdown > 0}
          aria-label={countdown > 0 ? t('composer.limited', { n: countdown }) : t('composer.send')}
        >
          {countdown > 0 ? <span>{t('composer.limited', { n: countdown })}</span> : <Icon name="send" />}
        </button>
      </div>
      <div class="composer-foot">
        <span class="composer-hint muted" aria-hidden="true">
          {t('composer.hint')}
        </span>
        {length >= WARN_AT && (
          <span class={over ? 'counter bad' : 'counter muted'} role="status">
            {t('composer.left', { n: length, max: MAX_TEXT })}
          </span>
        )}
      </div>
    </form>
  )
}
