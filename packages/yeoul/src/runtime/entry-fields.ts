/**
 * Names of the fields that the runtime gives a meaning. docs/formats/entry-fields.md is the page for other clients.
 *
 *     data          the value (name chosen by the topic's `field`)
 *     key           what the message is about
 *     h.<name>      a header
 *     traceparent   W3C trace context (tracestate beside it)
 *     _seq          number within the key, given by the store
 *     _v            version of the value (absent = 1)
 *
 * Only on copies that the runtime appended again for one group (a long retry, a redrive):
 *
 *     _origin       id of the first entry; also the mark that the fields below mean what is said here
 *     _group        the one group this copy is for; every other group acknowledges it unseen
 *     _attempt      attempts made before this entry
 *     _failures     what those attempts died of (JSON, newest last)
 *     _redriven     how often it has come back from the dead letters
 *
 * Only in dead letters, beside everything the entry had:
 *
 *     _reason _attempts _died_at _consumer      and _origin, _group, _failures, _redriven as above
 */
export const FIELD = {
  key: 'key',
  header: 'h.',
  traceparent: 'traceparent',
  tracestate: 'tracestate',
  sequence: '_seq',
  version: '_v',
  origin: '_origin',
  group: '_group',
  attempt: '_attempt',
  failures: '_failures',
  redriven: '_redriven',
  reason: '_reason',
  attempts: '_attempts',
  diedAt: '_died_at',
  consumer: '_consumer',
} as const

const OF_COPIES: ReadonlySet<string> = new Set([
  FIELD.origin,
  FIELD.group,
  FIELD.attempt,
  FIELD.failures,
  FIELD.redriven,
  FIELD.reason,
  FIELD.attempts,
  FIELD.diedAt,
  FIELD.consumer,
])

/** The fields that the producer wrote: without what the runtime adds to copies and dead letters. */
export function producerFields(raw: readonly Buffer[]): Buffer[] {
  const own: Buffer[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i][0] === UNDERSCORE && OF_COPIES.has(raw[i].toString('latin1'))) continue
    own.push(raw[i], raw[i + 1])
  }
  return own
}

/** Whether the runtime itself gives this name a meaning (so that codec `fields` leaves it out of the value). */
export function isRuntimeField(name: string): boolean {
  return (
    name.startsWith(FIELD.header) ||
    name === FIELD.traceparent ||
    name === FIELD.tracestate ||
    name === FIELD.sequence ||
    name === FIELD.version ||
    OF_COPIES.has(name)
  )
}

export function fieldMap(raw: readonly Buffer[]): Map<string, Buffer> {
  const fields = new Map<string, Buffer>()
  for (let i = 0; i + 1 < raw.length; i += 2) fields.set(raw[i].toString('utf8'), raw[i + 1])
  return fields
}

/** One attempt that did not succeed. */
export interface Failure {
  attempt: number
  at: Date
  consumer: string
  name: string
  message: string
  stack?: string
  code?: string
}

/** Enough to understand, bounded whatever the errors hold: the newest attempts, each cut to a screenful. */
const MOST_FAILURES = 20
const LONGEST_TEXT = 4_000

export function failureOf(error: unknown, attempt: number, at: Date, consumer: string): Failure {
  if (!(error instanceof Error)) {
    return { attempt, at, consumer, name: 'NotAnError', message: cut(printed(error)) }
  }
  const failure: Failure = { attempt, at, consumer, name: error.name, message: cut(error.message) }
  if (error.stack) failure.stack = cut(error.stack)
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string') failure.code = code
  return failure
}

export function writeFailures(failures: readonly Failure[]): string {
  return JSON.stringify(failures.slice(-MOST_FAILURES))
}

/** Empty when the text is none of ours: a dead letter stays readable whatever it holds. */
export function readFailures(data: Buffer | undefined): Failure[] {
  if (!data) return []
  try {
    const failures = JSON.parse(data.toString('utf8'))
    return Array.isArray(failures) ? failures.map((failure) => ({ ...failure, at: new Date(failure.at) })) : []
  } catch {
    return []
  }
}

/** A whole number ≥ 0 as decimal digits; undefined for anything else. */
export function readNumber(data: Buffer | undefined): number | undefined {
  if (!data || data.length === 0 || data.length > 15) return undefined
  let value = 0
  for (const byte of data) {
    if (byte < 0x30 || byte > 0x39) return undefined
    value = value * 10 + byte - 0x30
  }
  return value
}

/** Milliseconds part of an entry id. */
export function idTime(id: string): number {
  return Number.parseInt(id, 10)
}

/** < 0, 0 or > 0 as `a` comes before, is, or comes after `b`. */
export function compareIds(a: string, b: string): number {
  const dashA = a.indexOf('-')
  const dashB = b.indexOf('-')
  return (
    compareDecimals(a.slice(0, dashA), b.slice(0, dashB)) || compareDecimals(a.slice(dashA + 1), b.slice(dashB + 1))
  )
}

/** Both without leading zeros; up to 20 digits, which no number holds. */
function compareDecimals(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}

/** The greatest id below; `0-0` has none and answers itself. */
export function idBefore(id: string): string {
  const dash = id.indexOf('-')
  const ms = BigInt(id.slice(0, dash))
  const sequence = BigInt(id.slice(dash + 1))
  if (sequence > 0n) return `${ms}-${sequence - 1n}`
  return ms > 0n ? `${ms - 1n}-18446744073709551615` : '0-0'
}

const UNDERSCORE = 0x5f

function cut(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT)}… (${text.length} characters)`
}

function printed(value: unknown): string {
  if (typeof value === 'string') return value
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
