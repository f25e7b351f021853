/** Upper limits of the duration buckets, in seconds; the last bucket is everything above. */
export const DURATION_BUCKETS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
]

export class Histogram {
  /** Per bucket, not cumulated; one more than there are limits. */
  readonly counts = new Float64Array(DURATION_BUCKETS.length + 1)
  sum = 0
  count = 0

  observe(seconds: number): void {
    let low = 0
    let high = DURATION_BUCKETS.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (seconds <= DURATION_BUCKETS[middle]) high = middle
      else low = middle + 1
    }
    this.counts[low]++
    this.sum += seconds
    this.count++
  }
}

/** Counters since the process started. */
export class TopicMetrics {
  published = 0
  /** Publishes answered as duplicates. */
  duplicates = 0
  publishFailures = 0
  /** Delayed messages put into the schedule. */
  scheduled = 0
  /** Appended from the schedule by this process. */
  promoted = 0
  trimmed = 0
  /** Removed by a forced trim though a group had not handled them. */
  trimmedUnread = 0
  /** Times a publish found the topic full. */
  full = 0
  readonly publishDuration = new Histogram()
}

export class GroupMetrics {
  /** Deliveries taken in, first ones and repetitions. */
  delivered = 0
  /** Handler outcomes. */
  ok = 0
  failed = 0
  timedOut = 0
  /** Acknowledged in the store. */
  acknowledged = 0
  retried = 0
  rescheduled = 0
  dead = 0
  fenced = 0
  reclaimed = 0
  released = 0
  redriven = 0
  /** Now. */
  running = 0
  held = 0
  readonly handlerDuration = new Histogram()
}

export interface HistogramSnapshot {
  /** Upper limits in seconds. */
  limits: readonly number[]
  /** Per bucket, not cumulated; one more than limits (the last is everything above). */
  counts: number[]
  sum: number
  count: number
}

type Counters<T> = { [K in keyof T as T[K] extends number ? K : never]: number }

export interface MetricsSnapshot {
  topics: (Counters<TopicMetrics> & { topic: string; publishDuration: HistogramSnapshot })[]
  groups: (Counters<GroupMetrics> & { topic: string; group: string; handlerDuration: HistogramSnapshot })[]
}

/** What this process has done, as plain numbers; `ops` renders them. Recording is an addition, never a look-up. */
export class Metrics {
  private readonly topics = new Map<string, TopicMetrics>()
  private readonly groups = new Map<string, Map<string, GroupMetrics>>()

  topic(topic: string): TopicMetrics {
    let metrics = this.topics.get(topic)
    if (!metrics) this.topics.set(topic, (metrics = new TopicMetrics()))
    return metrics
  }

  group(topic: string, group: string): GroupMetrics {
    let groups = this.groups.get(topic)
    if (!groups) this.groups.set(topic, (groups = new Map()))
    let metrics = groups.get(group)
    if (!metrics) groups.set(group, (metrics = new GroupMetrics()))
    return metrics
  }

  snapshot(): MetricsSnapshot {
    const snapshot: MetricsSnapshot = { topics: [], groups: [] }
    for (const [topic, metrics] of this.topics) {
      snapshot.topics.push({ topic, ...metrics, publishDuration: copy(metrics.publishDuration) })
    }
    for (const [topic, groups] of this.groups) {
      for (const [group, metrics] of groups) {
        snapshot.groups.push({ topic, group, ...metrics, handlerDuration: copy(metrics.handlerDuration) })
      }
    }
    return snapshot
  }
}

function copy(histogram: Histogram): HistogramSnapshot {
  return {
    limits: DURATION_BUCKETS,
    counts: Array.from(histogram.counts),
    sum: histogram.sum,
    count: histogram.count,
  }
}
