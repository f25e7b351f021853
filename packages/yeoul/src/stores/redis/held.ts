import type { Held } from '../../runtime/store.js'

/** The steps ask for one range of ids, so these must ascend; they nearly always do. */
export function ascending(held: readonly Held[]): readonly Held[] {
  for (let i = 1; i < held.length; i++) {
    if (compareIds(held[i - 1].id, held[i].id) > 0) return [...held].sort((a, b) => compareIds(a.id, b.id))
  }
  return held
}

/** Orders `ms-seq` texts as the numbers they stand for, without making numbers: they may have 64 bits each. */
function compareIds(a: string, b: string): number {
  const aDash = a.indexOf('-')
  const bDash = b.indexOf('-')
  // Without leading zeros the longer number is the larger one, and equally long ones compare as text.
  if (aDash !== bDash) return aDash - bDash
  if (a.length !== b.length && a.slice(0, aDash) === b.slice(0, bDash)) return a.length - b.length
  return a < b ? -1 : a > b ? 1 : 0
}
