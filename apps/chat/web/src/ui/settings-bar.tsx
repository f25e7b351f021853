import type { Theme } from '../../../../look/preferences.js'
import { Icon } from './icons.js'
import type { Settings } from './settings.js'
import { useText } from './text-context.js'

const THEMES: Theme[] = ['system', 'light', 'dark']
const THEME_ICONS = { system: 'system', light: 'sun', dark: 'moon' } as const

export function SettingsBar({ settings }: { settings: Settings }) {
  const { t } = useText()
  const themeWords = t(`settings.theme.${settings.theme}`)
  return (
    <div class="settings-bar">
      <fieldset class="segmented">
        <legend class="sr-only">{t('settings.language')}</legend>
        <button
          type="button"
          data-testid="lang-ko"
          lang="ko"
          aria-pressed={settings.language === 'ko'}
          onClick={() => settings.setLanguage('ko')}
        >
          한국어
        </button>
        <button
          type="button"
          data-testid="lang-en"
          lang="en"
          aria-pressed={settings.language === 'en'}
          onClick={() => settings.setLanguage('en')}
        >
          English
        </button>
      </fieldset>
      <button
        type="button"
        class="icon-button"
        data-testid="theme"
        data-theme-choice={settings.theme}
        aria-label={`${t('settings.theme')}: ${themeWords}`}
        title={`${t('settings.theme')}: ${themeWords}`}
        onClick={() => settings.setTheme(THEMES[(THEMES.indexOf(settings.theme) + 1) % THEMES.length]!)}
      >
        <Icon name={THEME_ICONS[settings.theme]} />
      </button>
    </div>
  )
}
