import { useEffect, useRef } from 'preact/hooks'
import type { Key } from '../text/strings.js'
import { Icon } from './icons.js'
import { useText } from './text-context.js'

const MAP: [string[], Key][] = [
  [['Enter'], 'keys.send'],
  [['Shift', 'Enter'], 'keys.newline'],
  [['Ctrl/⌘', 'K'], 'keys.rooms'],
  [['Ctrl/⌘', 'Shift', 'F'], 'keys.search'],
  [['Alt', '↑ ↓'], 'keys.nextRoom'],
  [['↑ ↓'], 'keys.move'],
  [['C'], 'keys.copy'],
  [['Esc'], 'keys.composer'],
  [['?'], 'keys.map'],
]

export function KeyboardMap({ onClose }: { onClose: () => void }) {
  const { t } = useText()
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} class="dialog" aria-label={t('keys.title')} onClose={onClose}>
      <header class="panel-header">
        <h2>{t('keys.title')}</h2>
        <button
          type="button"
          class="icon-button"
          aria-label={t('search.close')}
          onClick={() => dialog.current?.close()}
        >
          <Icon name="close" />
        </button>
      </header>
      <dl class="keys">
        {MAP.map(([keys, words]) => (
          <div key={words}>
            <dt>{t(words)}</dt>
            <dd>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </dialog>
  )
}
