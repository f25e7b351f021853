import type { Theme } from '../../../../look/preferences.js'
import type { Language } from '../text/strings.js'

/** What this browser's user chose, and how to choose again. */
export interface Settings {
  language: Language
  theme: Theme
  setLanguage: (language: Language) => void
  setTheme: (theme: Theme) => void
}
