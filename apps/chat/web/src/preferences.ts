import type { Language } from './text/strings.js'

export type Theme = 'system' | 'light' | 'dark'

/** Kept per browser. `public/theme.js` reads theme and language before the first paint: the key names are shared with it. */
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
  user: () => get('yeoul.chat.user'),
  keepUser: (user: string | null) => set('yeoul.chat.user', user),
  room: () => get('yeoul.chat.room'),
  keepRoom: (room: string) => set('yeoul.chat.room', room),
  details: () => get('yeoul.chat.details') !== 'closed',
  keepDetails: (open: boolean) => set('yeoul.chat.details', open ? null : 'closed'),
  draft: (room: string) => get(`yeoul.chat.draft.${room}`) ?? '',
  keepDraft: (room: string, text: string) => set(`yeoul.chat.draft.${room}`, text === '' ? null : text),
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
