import { en, type Key, type Strings } from './en.js'
import { ko } from './ko.js'
import { fill } from './template.js'

export type Language = 'ko' | 'en'
export type { Key }

const byLanguage: Record<Language, Strings> = { ko, en }

export type Translate = (key: Key, values?: Record<string, string | number>) => string

export function translator(language: Language): Translate {
  return (key, values) => fill(language, byLanguage[language][key], values)
}
