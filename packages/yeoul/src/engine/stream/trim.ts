import type { EntryId } from './entry-id.js'
import type { EntryLog } from './log.js'

export interface TrimOptions {
  /** Remove whole nodes only, and no more than the limit allows. */
  approximate?: boolean
  /**
   * With `approximate`: entries removed at most, 0 = no limit. Default: a hundred full nodes (10,000 entries when nodes
   * have no limit of entries), at most 1,000,000.
   */
  limit?: number
  /**
   * Asked before each entry goes; false keeps it. The ID is reused, and the stream itself must not be used meanwhile.
   * When given, every entry of a node is gone through, with `approximate` too.
   */
  onRemove?: (id: EntryId) => boolean
}

/** Removes from the front while there are more than `maxLength` entries. */
export function trimToLength(log: EntryLog, maxLength: number, options: TrimOptions, maxEntries: number): number {
  if (log.length <= maxLength) return 0
  if (options.approximate && log.length - log.live(0, 0) < maxLength) return 0
  return trim(
    log,
    options,
    maxEntries,
    () => log.length > maxLength,
    (page, row) => log.length - log.live(page, row) >= maxLength,
  )
}

/** Removes from the front while the entry is below `minId`. */
export function trimToMinId(log: EntryLog, minId: EntryId, options: TrimOptions, maxEntries: number): number {
  return trim(
    log,
    options,
    maxEntries,
    (id) => id === null || id.compare(minId) < 0,
    (page, row) => log.endsBelow(page, row, minId),
  )
}

/**
 * @param due may this entry go? With null: can there be any at all?
 * @param whole may this whole node go?
 */
function trim(
  log: EntryLog,
  options: TrimOptions,
  maxEntries: number,
  due: (id: EntryId | null) => boolean,
  whole: (page: number, row: number) => boolean,
): number {
  const { approximate = false, onRemove } = options
  const limit = approximate ? (options.limit ?? defaultLimit(maxEntries)) : 0
  const { index } = log
  let removed = 0
  let stopped = false
  const wanted = (id: EntryId): 'delete' | 'keep' | 'stop' => {
    if (!due(id)) {
      stopped = true
      return 'stop'
    }
    return onRemove === undefined || onRemove(id) ? 'delete' : 'keep'
  }

  let page = 0
  let row = 0
  while (!stopped && page < index.pages.length && due(null)) {
    if (limit > 0 && removed + log.live(page, row) > limit) break
    const all = whole(page, row)
    if (approximate && !all) break
    const nodes = index.count
    removed += all && onRemove === undefined ? log.removeNode(page, row) : log.deleteFrom(page, row, wanted)
    // A node that is gone has made room for the next one at the same place.
    if (index.count === nodes) row++
    if (page < index.pages.length && row >= index.pages[page].size) {
      page++
      row = 0
    }
  }
  return removed
}

function defaultLimit(maxEntries: number): number {
  const entries = maxEntries * 100
  return entries <= 0 ? 10_000 : Math.min(entries, 1_000_000)
}
