import { YeoulError } from './errors.js'

/** A span of time: milliseconds as a number, or text with a unit: `'250ms'`, `'30s'`, `'5m'`, `'1.5h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of a duration given as option `option`. */
export function milliseconds(duration: Duration, option: string): number {
  if (typeof duration === 'number') {
    if (Number.isFinite(duration) && duration >= 0) return duration
  } else {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration)
    if (match) return Number(match[1]) * UNITS[match[2]]
  }
  throw new YeoulError('INVALID_OPTION', `${option}: ${JSON.stringify(duration)} is no duration`, {
    advice: "Give milliseconds as a number, or text with a unit: '250ms', '30s', '5m', '1h', '7d'.",
  })
}
