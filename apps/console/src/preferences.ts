import type { Language } from './text/strings.js'

export type Theme = 'system' | 'light' | 'dark'

/** Kept per browser under the names that the chat page of the same address uses too; `public/theme.js` reads them first. */
export const preferences = {
  language(): Language {
    const kept = get('yeoul.language')
    if (kept === 'ko' || kept === 'en') return kept
    return navigator.language.startsWith('ko') ? 'ko' : 'en'
  },
  keepLanguage(language: Language): void {
    document.documentElement.lang = language
    set('yeoul.language', language)
  },
  theme(): Theme {
    const kept = get('yeoul.theme')
    return kept === 'light' || kept === 'dark' ? kept : 'system'
  },
  keepTheme(theme: Theme): void {
    if (theme === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme
    set('yeoul.theme', theme === 'system' ? null : theme)
  },
}

function get(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function set(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch {
    // Storage is full or forbidden: the choice holds until the page is closed.
  }
}
