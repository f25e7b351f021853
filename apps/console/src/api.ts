/**
 * Where the operations API answers. Its shapes are those of `yeoul/ops`, which describes the rules too; only types come from
 * there, so the page carries none of it.
 */
export type {
  ApiError,
  Consumer,
  DeadLetterPage,
  DeadLetterRow,
  DiscardAnswer,
  EntryPage,
  FieldView,
  Group,
  GroupState,
  Lag,
  LetterSelection,
  Overview,
  PendingPage,
  RedriveAnswer,
  Topic,
} from 'yeoul/ops'

const segment = encodeURIComponent

export const overviewPath = '/api/ops/overview'
export const entriesPath = (topic: string, query: { from?: string; count?: number; reverse?: boolean }) =>
  `/api/ops/topics/${segment(topic)}/entries${queryText(query)}`
export const pendingPath = (topic: string, group: string, query: { from?: string; count?: number }) =>
  `${groupPath(topic, group)}/pending${queryText(query)}`
export const deadLettersPath = (topic: string, group: string, query: { from?: string; count?: number }) =>
  `${groupPath(topic, group)}/dead-letters${queryText(query)}`
export const redrivePath = (topic: string, group: string) => `${groupPath(topic, group)}/dead-letters/redrive`
export const discardPath = (topic: string, group: string) => `${groupPath(topic, group)}/dead-letters/discard`

function groupPath(topic: string, group: string): string {
  return `/api/ops/topics/${segment(topic)}/groups/${segment(group)}`
}

function queryText(query: Record<string, string | number | boolean | undefined>): string {
  const given = Object.entries(query).filter((pair) => pair[1] !== undefined)
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}
