import { type Metric, Registry } from 'prom-client'
import type { HistogramSnapshot, MetricsSnapshot } from '../runtime/metrics.js'
import type { Yeoul } from '../runtime/yeoul.js'
import type { Overview } from './api.js'
import type { ReadModel } from './read-model.js'

type Labels = Record<string, string>
interface Value {
  labels: Labels
  value: number
  metricName?: string
}

/** What every collection of one scrape works from: the store's state and this process's own counts, taken once. */
interface Scrape {
  overview: Overview
  counts: MetricsSnapshot
}

/**
 * A Prometheus registry of its own (never the global one) with everything yeoul knows. Streams and groups come from the
 * store, so any one process shows them all; handler outcomes are this process's own.
 *
 * Lag that is not known is left out, with `yeoul_group_lag_known` 0: an unknown must never look like "no lag".
 */
export function createRegistry(yeoul: Yeoul, model: ReadModel): Registry {
  const registry = new Registry()
  let current: Promise<Scrape> | undefined
  const scrape = (): Promise<Scrape> => {
    // All metrics of one scrape are collected in the same turn and share one look at the store.
    current ??= model.overview().then((overview) => ({ overview, counts: yeoul.metrics.snapshot() }))
    const taken = current
    taken
      .finally(() => {
        if (current === taken) current = undefined
      })
      .catch(() => {})
    return taken
  }
  const add = (
    name: string,
    type: 'gauge' | 'counter' | 'histogram',
    help: string,
    values: (scrape: Scrape) => Value[],
  ) => {
    const metric = {
      name,
      help,
      type,
      get: async () => ({ name, help, type, values: values(await scrape()), aggregator: 'sum' }),
    }
    registry.registerMetric(metric as unknown as Metric)
  }

  const topics = (scrape: Scrape, value: (topic: Overview['topics'][number]) => number | null): Value[] =>
    scrape.overview.topics.flatMap((topic) => known({ stream: topic.name }, value(topic)))
  const groups = (
    scrape: Scrape,
    value: (group: Overview['topics'][number]['groups'][number]) => number | null,
  ): Value[] =>
    scrape.overview.topics.flatMap((topic) =>
      topic.groups.flatMap((group) => known({ stream: topic.name, group: group.name }, value(group))),
    )

  add('yeoul_stream_length', 'gauge', 'Entries in the stream', (s) => topics(s, (topic) => topic.length))
  add('yeoul_stream_entries_added_total', 'counter', 'Entries ever added to the stream', (s) =>
    topics(s, (topic) => topic.entriesAdded),
  )
  add('yeoul_stream_memory_bytes', 'gauge', 'Memory of the stream, where the store can tell', (s) =>
    topics(s, (topic) => topic.memory),
  )
  add('yeoul_schedule_waiting', 'gauge', 'Messages that wait for their time', (s) =>
    topics(s, (topic) => topic.scheduled.waiting),
  )
  add('yeoul_group_lag_entries', 'gauge', 'Entries not delivered to the group yet; absent when unknown', (s) =>
    groups(s, (group) => group.lag.entries),
  )
  add('yeoul_group_lag_known', 'gauge', '1 when the lag is known, 0 when the server cannot tell', (s) =>
    groups(s, (group) => (group.lag.kind === 'unknown' ? 0 : 1)),
  )
  add('yeoul_group_lag_seconds', 'gauge', 'Age of the oldest entry not delivered yet; absent when unknown', (s) =>
    groups(s, (group) => group.lag.seconds),
  )
  add('yeoul_group_pending_entries', 'gauge', 'Deliveries not acknowledged yet', (s) =>
    groups(s, (group) => group.pending),
  )
  add(
    'yeoul_group_oldest_pending_seconds',
    'gauge',
    'Age of the oldest entry not acknowledged; 0 when none is pending',
    (s) => groups(s, (group) => (group.pending === 0 ? 0 : group.oldestPendingSeconds)),
  )
  add('yeoul_group_consumers', 'gauge', 'Consumers of the group known to be alive', (s) =>
    groups(s, (group) => group.consumers.filter((consumer) => consumer.alive !== false).length),
  )
  add('yeoul_group_state', 'gauge', '1 for the state the group is in', (s) =>
    s.overview.topics.flatMap((topic) =>
      topic.groups.map((group) => ({
        labels: { stream: topic.name, group: group.name, state: group.state },
        value: 1,
      })),
    ),
  )
  add('yeoul_dlq_entries', 'gauge', 'Dead letters of the group', (s) => groups(s, (group) => group.dead))

  add('yeoul_published_total', 'counter', 'Messages published by this process', (s) =>
    s.counts.topics.flatMap((topic) => [
      { labels: { stream: topic.topic, outcome: 'published' }, value: topic.published },
      { labels: { stream: topic.topic, outcome: 'duplicate' }, value: topic.duplicates },
      { labels: { stream: topic.topic, outcome: 'scheduled' }, value: topic.scheduled },
      { labels: { stream: topic.topic, outcome: 'failed' }, value: topic.publishFailures },
      { labels: { stream: topic.topic, outcome: 'full' }, value: topic.full },
    ]),
  )
  add('yeoul_publish_duration_seconds', 'histogram', 'From publish to "in the log"', (s) =>
    s.counts.topics.flatMap((topic) =>
      histogram('yeoul_publish_duration_seconds', { stream: topic.topic }, topic.publishDuration),
    ),
  )
  add('yeoul_deliveries_total', 'counter', 'Handler outcomes in this process', (s) =>
    s.counts.groups.flatMap((group) => {
      const labels = { stream: group.topic, group: group.group }
      return [
        { labels: { ...labels, outcome: 'ok' }, value: group.ok },
        { labels: { ...labels, outcome: 'failed' }, value: group.failed },
        { labels: { ...labels, outcome: 'timed_out' }, value: group.timedOut },
        { labels: { ...labels, outcome: 'retried' }, value: group.retried },
        { labels: { ...labels, outcome: 'rescheduled' }, value: group.rescheduled },
        { labels: { ...labels, outcome: 'dead' }, value: group.dead },
        { labels: { ...labels, outcome: 'fenced' }, value: group.fenced },
        { labels: { ...labels, outcome: 'reclaimed' }, value: group.reclaimed },
        { labels: { ...labels, outcome: 'released' }, value: group.released },
      ]
    }),
  )
  add('yeoul_process_duration_seconds', 'histogram', 'Time in the handler', (s) =>
    s.counts.groups.flatMap((group) =>
      histogram('yeoul_process_duration_seconds', { stream: group.topic, group: group.group }, group.handlerDuration),
    ),
  )
  add('yeoul_dlq_added_total', 'counter', 'Messages put aside by this process', (s) =>
    s.counts.groups.map((group) => ({ labels: { stream: group.topic, group: group.group }, value: group.dead })),
  )
  add('yeoul_redriven_total', 'counter', 'Dead letters put back by this process', (s) =>
    s.counts.groups.map((group) => ({ labels: { stream: group.topic, group: group.group }, value: group.redriven })),
  )
  add(
    'yeoul_trim_dropped_unread_total',
    'counter',
    'Entries trimmed by force though a group had not handled them',
    (s) => s.counts.topics.map((topic) => ({ labels: { stream: topic.topic }, value: topic.trimmedUnread })),
  )
  return registry
}

function known(labels: Labels, value: number | null): Value[] {
  return value === null ? [] : [{ labels, value }]
}

/** Prometheus' buckets are cumulative and end in +Inf. */
function histogram(name: string, labels: Labels, snapshot: HistogramSnapshot): Value[] {
  const values: Value[] = []
  let below = 0
  snapshot.limits.forEach((limit, i) => {
    below += snapshot.counts[i]
    values.push({ metricName: `${name}_bucket`, labels: { ...labels, le: String(limit) }, value: below })
  })
  values.push({ metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: snapshot.count })
  values.push({ metricName: `${name}_sum`, labels, value: snapshot.sum })
  values.push({ metricName: `${name}_count`, labels, value: snapshot.count })
  return values
}
