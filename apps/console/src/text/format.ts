import type { Language, Translate } from './strings.js'

/** "0.4 s", "12 s", "3 min 20 s", "2 h 5 min", "4 d 3 h". */
export function duration(t: Translate, seconds: number): string {
  if (seconds < 10) return t('time.seconds', { n: Math.round(seconds * 10) / 10 })
  const whole = Math.round(seconds)
  if (whole < 60) return t('time.seconds', { n: whole })
  if (whole < 3_600) return t('time.minutes', { m: Math.floor(whole / 60), s: whole % 60 })
  if (whole < 86_400) return t('time.hours', { h: Math.floor(whole / 3_600), m: Math.floor((whole % 3_600) / 60) })
  return t('time.days', { d: Math.floor(whole / 86_400), h: Math.floor((whole % 86_400) / 3_600) })
}

export function count(language: Language, value: number): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)
}

/** From 100 000 on "120K" or "12만": a big number has to be read at a glance. */
export function bigCount(language: Language, value: number): string {
  if (value < 100_000) return count(language, value)
  return new Intl.NumberFormat(language, { notation: 'compact', maximumFractionDigits: 1 }).format(value)
}

export function bytes(language: Language, value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let scaled = value
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024
    unit++
  }
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: scaled < 10 && unit > 0 ? 1 : 0 }).format(scaled)} ${units[unit]}`
}

export function exactTime(language: Language, at: number): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' }).format(at)
}

/** The time part of an entry id. Null for an id that carries no plausible time. */
export function timeOfId(id: string): number | null {
  const at = Number(id.split('-')[0])
  return Number.isFinite(at) && at > 946_684_800_000 && at < 32_503_680_000_000 ? at : null
}

/** Indented where it is JSON, as it is where it is not. */
export function pretty(value: string): string {
  try {
    return JSON.stringify(JSON.parse(value), null, 2)
  } catch {
    return value
  }
}
