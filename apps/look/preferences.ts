export type Language = 'ko' | 'en'
export type Theme = 'system' | 'light' | 'dark'

/**
 * What a person chose for all pages of this address, kept in the browser. `public/theme.js` reads language and theme before the
 * first paint: the key names are shared with it.
 */
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

export function get(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

export function set(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch {
    // Storage is full or forbidden: the choice holds until the page is closed.
  }
}
