import type { Language } from './strings.js'

const formats = new Map<string, Intl.DateTimeFormat>()

function format(language: Language, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = language + JSON.stringify(options)
  let made = formats.get(key)
  if (!made) formats.set(key, (made = new Intl.DateTimeFormat(language === 'ko' ? 'ko-KR' : 'en-US', options)))
  return made
}

/** "오후 3:07", "3:07 PM" */
export function clockTime(language: Language, at: number): string {
  return format(language, { hour: 'numeric', minute: '2-digit' }).format(at)
}

/** "2026년 11월 22일 일요일", "Sunday, November 22, 2026" */
export function longDay(language: Language, at: number): string {
  return format(language, { dateStyle: 'full' }).format(at)
}

export function exactTime(language: Language, at: number): string {
  return format(language, { dateStyle: 'medium', timeStyle: 'medium' }).format(at)
}

/** For the room list: the time today, "어제/yesterday", the date before that. */
export function shortTime(language: Language, at: number, now: number): string {
  const day = (time: number) => Math.floor((time - new Date(time).getTimezoneOffset() * 60_000) / 86_400_000)
  const days = day(now) - day(at)
  if (days === 0) return clockTime(language, at)
  if (days === 1) return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(-1, 'day')
  return format(language, { month: 'short', day: 'numeric' }).format(at)
}
