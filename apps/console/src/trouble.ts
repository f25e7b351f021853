import type { Group, GroupState, Overview, Topic } from './api.js'

export interface GroupRow {
  topic: Topic
  group: Group
}

const RANK: Record<GroupState, number> = {
  stalled: 5,
  'no-consumers': 4,
  'falling-behind': 3,
  'unknown-lag': 2,
  'catching-up': 1,
  healthy: 0,
}

/** Groups of all topics, the one to look at first on top. */
export function byTrouble(overview: Overview): GroupRow[] {
  return overview.topics
    .flatMap((topic) => topic.groups.map((group) => ({ topic, group })))
    .sort(
      (a, b) =>
        RANK[b.group.state] - RANK[a.group.state] ||
        (b.group.lag.seconds ?? 0) - (a.group.lag.seconds ?? 0) ||
        (b.group.oldestPendingSeconds ?? 0) - (a.group.oldestPendingSeconds ?? 0) ||
        b.group.dead - a.group.dead ||
        a.topic.name.localeCompare(b.topic.name) ||
        a.group.name.localeCompare(b.group.name),
    )
}

/** A figure over all groups. `unknown`: some group's part of it is not known, so the true figure may be worse. */
export interface Figure {
  value: number | null
  unknown: number
}

export interface Figures {
  in: Figure
  out: Figure
  lagSeconds: Figure
  oldestPending: Figure
  dead: Figure
}

export function figures(overview: Overview): Figures {
  const groups = overview.topics.flatMap((topic) => topic.groups)
  return {
    in: sum(overview.topics.map((topic) => topic.inRate)),
    out: sum(groups.map((group) => group.outRate)),
    lagSeconds: worst(groups.map((group) => group.lag.seconds)),
    oldestPending: worst(groups.map((group) => (group.pending === 0 ? 0 : group.oldestPendingSeconds))),
    dead: { value: groups.reduce((total, group) => total + group.dead, 0), unknown: 0 },
  }
}

function sum(values: (number | null)[]): Figure {
  const known = values.filter((value) => value !== null)
  const unknown = values.length - known.length
  return { value: known.length === 0 && unknown > 0 ? null : known.reduce((total, value) => total + value, 0), unknown }
}

function worst(values: (number | null)[]): Figure {
  const known = values.filter((value) => value !== null)
  const unknown = values.length - known.length
  return { value: known.length === 0 && unknown > 0 ? null : Math.max(0, ...known), unknown }
}
