import type { Language } from '../../../../look/preferences.js'
import { fill } from '../../../../look/template.js'
import { en, type Key, type Strings } from './en.js'
import { ko } from './ko.js'

export type { Key, Language }

const byLanguage: Record<Language, Strings> = { ko, en }

export type Translate = (key: Key, values?: Record<string, string | number>) => string

export function translator(language: Language): Translate {
  return (key, values) => fill(language, byLanguage[language][key], values)
}
