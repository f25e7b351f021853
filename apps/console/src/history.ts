import type { Overview } from './api.js'
import { type Figures, figures } from './trouble.js'

export interface Sample {
  /** ms since the epoch. */
  at: number
  figures: Figures
  groups: ReadonlyMap<string, GroupSample>
}

export interface GroupSample {
  lag: number | null
  pending: number
  outRate: number | null
}

const KEPT = 300

export const groupKey = (topic: string, group: string): string => `${topic}\u0000${group}`

/** What was seen since this page was opened, oldest first; bounded. A repeated or older snapshot adds nothing. */
export function remember(samples: readonly Sample[], overview: Overview): readonly Sample[] {
  const newest = samples.at(-1)
  if (newest && newest.at >= overview.at) return samples
  const groups = new Map<string, GroupSample>()
  for (const topic of overview.topics) {
    for (const { name, lag, pending, outRate } of topic.groups) {
      groups.set(groupKey(topic.name, name), { lag: lag.entries, pending, outRate })
    }
  }
  return [...samples.slice(-(KEPT - 1)), { at: overview.at, figures: figures(overview), groups }]
}
