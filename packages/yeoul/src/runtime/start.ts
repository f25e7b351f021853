import { type Duration, milliseconds } from './duration.js'
import { idBefore } from './entry-fields.js'
import { YeoulError } from './errors.js'

/** A place in a stream: the first entry, the end, a time ago, a moment, or an entry id. */
export type StartFrom = '0' | '$' | `-${Exclude<Duration, number>}` | Date | (string & {})

const ENTRY_ID = /^\d{1,20}(-\d{1,20})?$/

/** As a group's start: everything after the answered id is read. An entry id means: after that entry. */
export function groupStart(from: StartFrom, now: number): string {
  if (from === '0' || from === '$') return from
  const moment = momentOf(from, now)
  if (moment !== undefined) return idBefore(`${moment}-0`)
  if (typeof from === 'string' && ENTRY_ID.test(from)) return from
  throw unknownPlace(from)
}

/** As the lower end of a range: `-`, `$`, an id, which is included, or `(id`, which is not. */
export function rangeStart(from: StartFrom, now: number): string {
  if (from === '0' || from === '-') return '-'
  if (from === '$') return from
  const moment = momentOf(from, now)
  if (moment !== undefined) return `${moment}-0`
  if (typeof from === 'string' && ENTRY_ID.test(from.startsWith('(') ? from.slice(1) : from)) return from
  throw unknownPlace(from)
}

/** As the upper end of a range: `+`, or an id or moment, which is included. */
export function rangeEnd(to: string | Date | undefined): string {
  if (to === undefined || to === '+') return '+'
  if (to instanceof Date) return String(to.getTime())
  if (ENTRY_ID.test(to.startsWith('(') ? to.slice(1) : to)) return to
  throw unknownPlace(to)
}

function momentOf(from: StartFrom, now: number): number | undefined {
  if (from instanceof Date) return Math.max(0, from.getTime())
  if (from.startsWith('-') && from.length > 1) {
    return Math.max(0, Math.floor(now - milliseconds(from.slice(1) as Duration, 'from')))
  }
  return undefined
}

function unknownPlace(place: unknown): YeoulError {
  return new YeoulError('INVALID_OPTION', `${JSON.stringify(place)} is no place in a stream`, {
    advice: "Give '0' (the beginning), '$' (the end), a time ago like '-1h', a Date, or an entry id.",
  })
}
