import { Table } from './table.js'

/** Elements of a full run; it is then cut into halves. */
const RUN = 512
const COMPACT_MEMBERS = 128
const COMPACT_BYTES = 64

/** Members in order of (score, bytes of the member). */
interface Run {
  scores: number[]
  members: string[]
}

/** An end of a score interval. */
export interface ScoreBound {
  value: number
  exclusive: boolean
}

/** An end of a lexicographic interval; `at` −1 = before everything, +1 = behind everything, 0 = at `value`. */
export interface LexBound {
  at: -1 | 0 | 1
  value: string
  exclusive: boolean
}

/**
 * Members (latin1 strings) with a score each, in order. The order is kept as a list of sorted runs of at most 512
 * elements in plain arrays (scores lie unboxed): look-ups are two binary searches, an insertion moves at most one run,
 * a rank adds up the lengths of the runs before it. A million members are some three thousand runs.
 */
export class SortedSet {
  readonly #scores = new Table<number>()
  readonly #runs: Run[] = []
  #compact = true
  /** Bytes of all members. */
  bytes = 0

  get size(): number {
    return this.#scores.size
  }

  get encoding(): 'listpack' | 'skiplist' {
    return this.#compact ? 'listpack' : 'skiplist'
  }

  /** Every member once, in no particular order. */
  get members(): readonly string[] {
    return this.#scores.keys
  }

  score(member: string): number | undefined {
    return this.#scores.get(member)
  }

  /** True when the member is new. `score` must not be NaN. */
  set(member: string, score: number): boolean {
    const before = this.#scores.get(member)
    if (before !== undefined) {
      if (before === score) return false
      this.#take(before, member)
      this.#scores.set(member, score)
      this.#put(score, member)
      return false
    }
    this.#scores.set(member, score)
    this.#put(score, member)
    this.bytes += member.length
    if (this.#compact && (member.length > COMPACT_BYTES || this.#scores.size > COMPACT_MEMBERS)) this.#compact = false
    return true
  }

  delete(member: string): boolean {
    const score = this.#scores.get(member)
    if (score === undefined) return false
    this.#take(score, member)
    this.#scores.delete(member)
    this.bytes -= member.length
    return true
  }

  /** Position in ascending order, from 0; undefined when the member is not there. */
  rank(member: string): number | undefined {
    const score = this.#scores.get(member)
    if (score === undefined) return undefined
    const r = this.#runOf(score, member)
    return this.#before(r) + position(this.#runs[r], score, member)
  }

  /** Visits members with rank from ≤ rank < to, ascending; `visit` must not change the set. */
  walk(from: number, to: number, visit: (member: string, score: number) => void): void {
    if (from >= to) return
    let { run, at } = this.#seek(from)
    for (let left = to - from; left > 0 && run < this.#runs.length; run++, at = 0) {
      const { scores, members } = this.#runs[run]
      for (; at < members.length && left > 0; at++, left--) visit(members[at], scores[at])
    }
  }

  /** As `walk`, descending: rank to − 1 first. */
  walkBack(from: number, to: number, visit: (member: string, score: number) => void): void {
    if (from >= to) return
    let { run, at } = this.#seek(to - 1)
    for (let left = to - from; left > 0 && run >= 0; ) {
      const { scores, members } = this.#runs[run]
      for (; at >= 0 && left > 0; at--, left--) visit(members[at], scores[at])
      run--
      if (run >= 0) at = this.#runs[run].members.length - 1
    }
  }

  /** Number of members that stand before the interval's beginning. */
  rankOfScore(bound: ScoreBound): number {
    return this.#rankWhere((score) => score < bound.value || (bound.exclusive && score === bound.value))
  }

  /** Number of members up to and including the interval's end. */
  rankAfterScore(bound: ScoreBound): number {
    return this.#rankWhere((score) => score < bound.value || (!bound.exclusive && score === bound.value))
  }

  /** As `rankOfScore` for a set whose scores are all the same. */
  rankOfLex(bound: LexBound): number {
    if (bound.at !== 0) return bound.at < 0 ? 0 : this.size
    return this.#rankWhere((_, member) => member < bound.value || (bound.exclusive && member === bound.value))
  }

  rankAfterLex(bound: LexBound): number {
    if (bound.at !== 0) return bound.at < 0 ? 0 : this.size
    return this.#rankWhere((_, member) => member < bound.value || (!bound.exclusive && member === bound.value))
  }

  /** A small set is answered whole and in order, whatever the count. */
  scan(cursor: number, count: number, visit: (member: string, score: number) => void): number {
    if (this.#compact) {
      this.walk(0, this.size, visit)
      return 0
    }
    return this.#scores.scan(cursor, count, visit)
  }

  copy(): SortedSet {
    const copy = new SortedSet()
    this.walk(0, this.size, (member, score) => copy.set(member, score))
    copy.#compact = this.#compact
    return copy
  }

  memory(): number {
    return 160 + this.bytes + this.size * 88
  }

  #before(run: number): number {
    let count = 0
    for (let i = 0; i < run; i++) count += this.#runs[i].members.length
    return count
  }

  #seek(rank: number): { run: number; at: number } {
    let run = 0
    while (run < this.#runs.length && rank >= this.#runs[run].members.length) rank -= this.#runs[run++].members.length
    return { run, at: rank }
  }

  /** Number of leading members for which `leading` holds; it holds for a prefix of the order. */
  #rankWhere(leading: (score: number, member: string) => boolean): number {
    let low = 0
    let high = this.#runs.length
    while (low < high) {
      const middle = (low + high) >> 1
      const { scores, members } = this.#runs[middle]
      if (leading(scores[scores.length - 1], members[members.length - 1])) low = middle + 1
      else high = middle
    }
    const before = this.#before(low)
    if (low === this.#runs.length) return before
    const { scores, members } = this.#runs[low]
    let from = 0
    let to = members.length
    while (from < to) {
      const middle = (from + to) >> 1
      if (leading(scores[middle], members[middle])) from = middle + 1
      else to = middle
    }
    return before + from
  }

  /** The run whose last element is the first not before (score, member); the last run when there is none. */
  #runOf(score: number, member: string): number {
    let low = 0
    let high = this.#runs.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      const { scores, members } = this.#runs[middle]
      const end = members.length - 1
      if (scores[end] < score || (scores[end] === score && members[end] < member)) low = middle + 1
      else high = middle
    }
    return low
  }

  #put(score: number, member: string): void {
    if (this.#runs.length === 0) {
      this.#runs.push({ scores: [score], members: [member] })
      return
    }
    const r = this.#runOf(score, member)
    const run = this.#runs[r]
    const at = position(run, score, member)
    run.scores.splice(at, 0, score)
    run.members.splice(at, 0, member)
    if (run.members.length <= RUN) return
    // Ascending insertion is the rule (schedules): leave the left run nearly full then.
    const cut = at === run.members.length - 1 ? run.members.length - 8 : run.members.length >> 1
    this.#runs.splice(r + 1, 0, { scores: run.scores.splice(cut), members: run.members.splice(cut) })
  }

  #take(score: number, member: string): void {
    const r = this.#runOf(score, member)
    const run = this.#runs[r]
    const at = position(run, score, member)
    run.scores.splice(at, 1)
    run.members.splice(at, 1)
    if (run.members.length === 0) this.#runs.splice(r, 1)
  }
}

/** Index of the first element of the run that is not before (score, member). */
function position(run: Run, score: number, member: string): number {
  let low = 0
  let high = run.members.length
  while (low < high) {
    const middle = (low + high) >> 1
    const at = run.scores[middle]
    if (at < score || (at === score && run.members[middle] < member)) low = middle + 1
    else high = middle
  }
  return low
}
