/**
 * Every key name in one place. All keys of a topic carry its stream's hash tag, so that a topic lives in one cluster slot
 * and the atomic steps may touch them together:
 *
 *     orders                              the stream: its name is the topic's name
 *     yeoul:{orders}:dead:billing         dead letters of group billing (a stream)
 *     yeoul:{orders}:discarded:billing    dead letters that were discarded, kept a while for undo (a stream)
 *     yeoul:{orders}:schedule             due times of what waits (sorted set: member = key, score = ms)
 *     yeoul:{orders}:scheduled            what waits (hash: key → packed fields)
 *     yeoul:{orders}:once:<id>            a publish id seen (string with expiry: entry id [sequence])
 *     yeoul:{orders}:sequence             last number given out (hash: name → number)
 *     yeoul:{orders}:checkpoint           how far a group has handled everything (hash: group → entry id)
 *     yeoul:{orders}:trimmed              what trimming has removed (hash, see TrimRecord)
 *     yeoul:{orders}:missing              deliveries whose entry somebody else deleted (a stream: group, id, consumer, deliveries)
 *     yeoul:{orders}:durable              written to wait for the disk or replicas (string)
 *     yeoul:register:<name>               registry, shared by all topics (hash)
 *
 * Channels (hints; losing one costs a moment):
 *
 *     yeoul:{orders}:due                  something was scheduled: its due time, ms since the epoch
 *     yeoul:{orders}:released             a group's deliveries were handed back: the group's name
 *
 * A topic whose own name has a hash tag (`{shop}:orders`) keeps that tag in all of them.
 */
export function deadStream(stream: string, group: string): string {
  return `yeoul:${tag(stream)}:dead:${group}`
}

export function discardedStream(stream: string, group: string): string {
  return `yeoul:${tag(stream)}:discarded:${group}`
}

export function scheduleKey(stream: string): string {
  return `yeoul:${tag(stream)}:schedule`
}

export function scheduledKey(stream: string): string {
  return `yeoul:${tag(stream)}:scheduled`
}

export function onceKey(stream: string, id: string): string {
  return `yeoul:${tag(stream)}:once:${id}`
}

export function sequenceKey(stream: string): string {
  return `yeoul:${tag(stream)}:sequence`
}

export function checkpointKey(stream: string): string {
  return `yeoul:${tag(stream)}:checkpoint`
}

export function trimmedKey(stream: string): string {
  return `yeoul:${tag(stream)}:trimmed`
}

export function missingKey(stream: string): string {
  return `yeoul:${tag(stream)}:missing`
}

export function durableKey(stream: string): string {
  return `yeoul:${tag(stream)}:durable`
}

/**
 * Whether the keys above share the stream's cluster slot. They cannot when the name has a `}` but no hash tag of its own:
 * `{` name `}` would end at the first one.
 */
export function sharesSlot(stream: string): boolean {
  return tag(stream) === stream || !stream.includes('}')
}

export function registerKey(register: string): string {
  return `yeoul:register:${register}`
}

export function dueChannel(stream: string): string {
  return `yeoul:${tag(stream)}:due`
}

export function releasedChannel(stream: string): string {
  return `yeoul:${tag(stream)}:released`
}

/** `{shop}:orders` already has a tag: the slot is that of `shop`; keep both, so that two topics of one tag do not collide. */
function tag(stream: string): string {
  const open = stream.indexOf('{')
  const close = open < 0 ? -1 : stream.indexOf('}', open + 1)
  return close > open + 1 ? stream : `{${stream}}`
}
