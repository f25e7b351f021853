import type { Theme } from '../../../look/preferences.js'
import type { Overview } from '../api.js'
import type { FeedState } from '../feed.js'
import { duration } from '../text/format.js'
import type { Language } from '../text/strings.js'
import { REFRESHES } from '../view-state.js'
import { usePage } from './context.js'
import { Icon } from './icons.js'

const THEMES: Theme[] = ['system', 'light', 'dark']
const THEME_ICONS = { system: 'system', light: 'sun', dark: 'moon' } as const

export interface TopBarProps {
  state: FeedState
  theme: Theme
  onLanguage: (language: Language) => void
  onTheme: (theme: Theme) => void
  onRefresh: () => void
}

export function TopBar({ state, theme, onLanguage, onTheme, onRefresh }: TopBarProps) {
  const { language, t, view, go } = usePage()
  const live = state.problem !== null ? 'stale' : view.refresh === 0 ? 'off' : 'on'
  const themeWords = `${t('settings.theme')}: ${t(`settings.theme.${theme}`)}`
  return (
    <header class="top">
      <div class="brand">
        <img src="/console/icon.svg" alt="" width="28" height="28" />
        <a
          href="/console"
          class="name"
          onClick={(event) => {
            event.preventDefault()
            go({ topic: null, group: null, from: null, letter: null })
          }}
        >
          {t('app.name')}
        </a>
        {state.overview && <ServerBadge server={state.overview.server} />}
      </div>
      <div class="tools">
        <span class={`live ${live}`} data-testid="live" data-state={live}>
          <span class="dot" aria-hidden="true" />
          {t(`live.${live}`)}
        </span>
        <label class="select">
          <span class="sr-only">{t('live.refresh')}</span>
          <select
            data-testid="refresh"
            value={String(view.refresh)}
            onChange={(event) => go({ refresh: Number(event.currentTarget.value) })}
          >
            {REFRESHES.map((interval) => (
              <option key={interval} value={String(interval)}>
                {t('live.refresh')} {interval === 0 ? t('live.never') : duration(t, interval / 1000)}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          class="icon-button ask"
          aria-label={t('live.now')}
          title={t('live.now')}
          onClick={onRefresh}
        >
          <Icon name="refresh" />
        </button>
        <fieldset class="segmented">
          <legend class="sr-only">{t('settings.language')}</legend>
          <button
            type="button"
            data-testid="lang-ko"
            lang="ko"
            aria-pressed={language === 'ko'}
            onClick={() => onLanguage('ko')}
          >
            한국어
          </button>
          <button
            type="button"
            data-testid="lang-en"
            lang="en"
            aria-pressed={language === 'en'}
            onClick={() => onLanguage('en')}
          >
            English
          </button>
        </fieldset>
        <button
          type="button"
          class="icon-button"
          data-testid="theme"
          aria-label={themeWords}
          title={themeWords}
          onClick={() => onTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!)}
        >
          <Icon name={THEME_ICONS[theme]} />
        </button>
      </div>
    </header>
  )
}

function ServerBadge({ server }: { server: Overview['server'] }) {
  const { t } = usePage()
  return (
    <span
      class="server"
      data-testid="server"
      title={`${server.address} · ${t('server.up', { time: duration(t, server.uptime) })}`}
    >
      <span class="kind">
        {t(`server.${server.kind}`)} {server.version}
      </span>
      {server.cluster && <span class="kind">{t('server.cluster')}</span>}
      <span class={server.durability === 'memory' || server.durability === 'unknown' ? 'warn' : ''}>
        {t(`durability.${server.durability}`)}
      </span>
      <code>{server.address}</code>
    </span>
  )
}
