import type { DeadLetter, DeadLetters } from '../runtime/dead-letters.js'
import type { Topic } from '../runtime/topic.js'
import type { Yeoul } from '../runtime/yeoul.js'
import type {
  DeadLetterPage,
  DeadLetterRow,
  DiscardAnswer,
  EntryPage,
  FieldView,
  LetterSelection,
  PendingPage,
  RedriveAnswer,
} from './api.js'
import { HttpError } from './http-error.js'

export interface PageQuery {
  from: string | undefined
  count: number
  reverse: boolean
}

export async function entryPage(yeoul: Yeoul, topic: string, { from, count, reverse }: PageQuery): Promise<EntryPage> {
  const start = from ?? (reverse ? '+' : '-')
  const entries = reverse
    ? await yeoul.store.range(topic, '-', start, { count: count + 1, reverse: true })
    : await yeoul.store.range(topic, start, '+', { count: count + 1 })
  const rows = entries.slice(0, count).map(({ id, fields }) => {
    const view: FieldView[] = []
    for (let i = 0; i + 1 < fields.length; i += 2) view.push(fieldView(fields[i], fields[i + 1]))
    return { id, at: milliseconds(id), fields: view }
  })
  return { rows, next: entries[count]?.id ?? null }
}

export async function pendingPage(
  yeoul: Yeoul,
  topic: string,
  group: string,
  { from, count }: PageQuery,
): Promise<PendingPage> {
  const now = Date.now()
  const list = await yeoul.store.pending(topic, group, { from, count: count + 1 })
  return {
    rows: list.slice(0, count).map(({ id, consumer, deliveries, idle }) => ({
      id,
      consumer,
      deliveries,
      idleSeconds: idle / 1000,
      ageSeconds: Math.max(0, now - milliseconds(id)) / 1000,
    })),
    next: list[count]?.id ?? null,
  }
}

export async function deadLetterPage(
  yeoul: Yeoul,
  topic: Topic<unknown, unknown>,
  group: string,
  { from, count }: PageQuery,
): Promise<DeadLetterPage> {
  const letters = topic.deadLetters(group)
  const rows: DeadLetterRow[] = []
  let next: string | null = null
  for await (const letter of letters.list({ from, count: count + 1 })) {
    if (rows.length === count) next = letter.id
    else rows.push(letterRow(letter))
  }
  const last = await yeoul.store.range(letters.stream, '-', '+', { count: 1, reverse: true })
  return { rows, next, total: await letters.count(), lastId: last[0]?.id ?? null }
}

function letterRow(letter: DeadLetter<unknown>): DeadLetterRow {
  const last = letter.failures[letter.failures.length - 1]
  return {
    id: letter.id,
    at: letter.diedAt.getTime(),
    originId: letter.messageId,
    fields: [...letter.fields].map(([name, value]) => fieldView(Buffer.from(name), value)),
    error: { name: last?.name ?? letter.reason, message: last?.message ?? letter.reason, stack: last?.stack ?? null },
    attempts: letter.attempts,
    trail: letter.failures.map((failure) => ({
      attempt: failure.attempt,
      at: failure.at.getTime(),
      consumer: failure.consumer ?? null,
      error: `${failure.name}: ${failure.message}`,
    })),
  }
}

/** Ids of a selection that exist now; "all" ends at what the operator saw. */
async function selected(letters: DeadLetters<unknown, unknown>, selection: LetterSelection): Promise<string[]> {
  if ('ids' in selection) {
    const found = await Promise.all(selection.ids.map((id) => letters.show(id)))
    return found.flatMap((letter) => (letter === null ? [] : [letter.id]))
  }
  const ids: string[] = []
  for await (const letter of letters.list({})) {
    if (compareIds(letter.id, selection.upTo) > 0) break
    ids.push(letter.id)
  }
  return ids
}

export async function redrive(
  letters: DeadLetters<unknown, unknown>,
  selection: LetterSelection,
  dryRun: boolean,
): Promise<RedriveAnswer> {
  const ids = await selected(letters, selection)
  const missing = 'ids' in selection ? selection.ids.length - ids.length : 0
  if (dryRun || ids.length === 0) return { selected: ids.length, redriven: 0, missing, dryRun }
  const done = await letters.redrive({ ids })
  return { selected: ids.length, redriven: done.redriven, missing: missing + done.missing, dryRun }
}

export async function discard(
  letters: DeadLetters<unknown, unknown>,
  selection: LetterSelection,
  dryRun: boolean,
): Promise<DiscardAnswer> {
  const ids = await selected(letters, selection)
  const missing = 'ids' in selection ? selection.ids.length - ids.length : 0
  if (dryRun || ids.length === 0) return { selected: ids.length, discarded: 0, missing, dryRun }
  const discarded = await letters.discard(ids)
  return { selected: ids.length, discarded, missing: missing + ids.length - discarded, dryRun }
}

export function parseSelection(body: unknown): { selection: LetterSelection; dryRun: boolean } {
  const { ids, all, upTo, dryRun } = (body ?? {}) as Record<string, unknown>
  const isDry = dryRun === true
  if (Array.isArray(ids) && ids.length <= 1000 && ids.every((id) => isEntryId(id))) {
    return { selection: { ids: ids as string[] }, dryRun: isDry }
  }
  if (all === true && isEntryId(upTo)) return { selection: { all: true, upTo }, dryRun: isDry }
  throw new HttpError(
    422,
    'bad_selection',
    'Name what to act on: { "ids": [at most 1000 entry ids] } or { "all": true, "upTo": entry id }.',
  )
}

export function isEntryId(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,20}-\d{1,20}$/.test(value)
}

function compareIds(a: string, b: string): number {
  const [ams, aseq] = a.split('-').map(BigInt)
  const [bms, bseq] = b.split('-').map(BigInt)
  return ams === bms ? Number(aseq - bseq) : ams < bms ? -1 : 1
}

function milliseconds(id: string): number {
  return Number(id.slice(0, id.indexOf('-')))
}

function fieldView(name: Buffer, value: Buffer): FieldView {
  const text = value.toString()
  if (Buffer.from(text).equals(value)) return { name: name.toString(), value: text }
  return { name: name.toString(), value: value.toString('base64'), base64: true }
}
