import type { Overview, Topic } from '../api.js'
import { groupKey, type Sample } from '../history.js'
import { bigCount, bytes, count, duration } from '../text/format.js'
import type { Key } from '../text/strings.js'
import { byTrouble, type Figure, type Figures, figures, type GroupRow } from '../trouble.js'
import { EntryId, LagEntries, LagTime, Rate, StateWord, Unknown } from './cells.js'
import { usePage } from './context.js'
import { Icon } from './icons.js'
import { Sparkline } from './sparkline.js'

export function OverviewView({ overview, samples }: { overview: Overview; samples: readonly Sample[] }) {
  const { t } = usePage()
  const now = figures(overview)
  const rows = byTrouble(overview)
  return (
    <>
      {overview.server.warnings.map((warning) => (
        <p class="warning" key={warning}>
          <Icon name="warning" />
          {warning}
        </p>
      ))}
      <div class="figures">
        <BigFigure name="in" words="figure.in" figure={now.in} samples={samples} rate unknown="figure.unknownTopics" />
        <BigFigure name="out" words="figure.out" figure={now.out} samples={samples} rate unknown="figure.unknown" />
        <BigFigure
          name="lagSeconds"
          words="figure.lag"
          hint="term.lag"
          figure={now.lagSeconds}
          samples={samples}
          unknown="figure.unknown"
        />
        <BigFigure
          name="oldestPending"
          words="figure.oldest"
          hint="term.pending"
          figure={now.oldestPending}
          samples={samples}
          unknown="figure.unknown"
        />
        <BigFigure
          name="dead"
          words="figure.dead"
          hint="term.dead"
          figure={now.dead}
          samples={samples}
          plain
          unknown="figure.unknown"
        />
      </div>
      <section class="card">
        <h2>{t('groups.title')}</h2>
        {rows.length === 0 ? (
          <div class="empty small">
            <h3>{t('groups.none')}</h3>
            <p class="muted">{t('groups.noneHint')}</p>
          </div>
        ) : (
          <GroupsTable rows={rows} samples={samples} withTopic />
        )}
      </section>
      <section class="card">
        <h2>{t('topics.title')}</h2>
        {overview.topics.length === 0 ? (
          <div class="empty small">
            <h3>{t('topics.none')}</h3>
            <p class="muted">{t('topics.noneHint')}</p>
            <pre>npx yeoul publish orders '{'{"id":"o-1"}'}'</pre>
          </div>
        ) : (
          <TopicsTable topics={overview.topics} at={overview.at} />
        )}
      </section>
    </>
  )
}

function BigFigure(props: {
  name: keyof Figures
  words: Key
  hint?: Key
  figure: Figure
  samples: readonly Sample[]
  rate?: boolean
  plain?: boolean
  unknown: Key
}) {
  const { language, t } = usePage()
  const { name, words, hint, figure, samples, rate, plain, unknown } = props
  const { value } = figure
  const alarming = name === 'dead' && (value ?? 0) > 0
  return (
    <div class="card figure" data-testid={`figure-${name}`}>
      <h2 title={hint && t(hint)}>{t(words)}</h2>
      <p class={alarming ? 'value alarming' : 'value'}>
        {value === null ? (
          <Unknown />
        ) : rate || plain ? (
          <>
            {bigCount(language, value)}
            {rate && <small>{t('figure.perSecond')}</small>}
          </>
        ) : (
          duration(t, value)
        )}
      </p>
      <Sparkline
        values={samples.map((sample) => sample.figures[name].value)}
        label={`${t(words)}, ${t('figure.trend')}`}
      />
      <p class="partial">{figure.unknown > 0 && t(unknown, { n: figure.unknown })}</p>
    </div>
  )
}

export function GroupsTable({
  rows,
  samples,
  withTopic,
}: {
  rows: GroupRow[]
  samples: readonly Sample[]
  withTopic?: boolean
}) {
  const { language, t, go } = usePage()
  return (
    <div class="scroll">
      <table class="rows" data-testid="groups">
        <caption class="sr-only">{t('groups.caption')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('groups.group')}</th>
            <th scope="col">{t('groups.state')}</th>
            <th scope="col" class="number" title={t('term.lag')}>
              {t('groups.lag')}
            </th>
            <th scope="col" class="number">
              {t('groups.lagTime')}
            </th>
            <th scope="col" class="number" title={t('term.pending')}>
              {t('groups.pending')}
            </th>
            <th scope="col" class="number">
              {t('groups.oldest')}
            </th>
            <th scope="col" class="number">
              {t('groups.out')}
            </th>
            <th scope="col">{t('groups.consumers')}</th>
            <th scope="col" class="number" title={t('term.dead')}>
              {t('groups.dead')}
            </th>
            <th scope="col">{t('groups.trend')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ topic, group }) => {
            const key = groupKey(topic.name, group.name)
            const alive = group.consumers.filter((consumer) => consumer.alive === true).length
            const beats = group.consumers.some((consumer) => consumer.alive !== null)
            const open = (tab: 'pending' | 'dead') =>
              go({ topic: topic.name, group: group.name, tab, from: null, letter: null })
            return (
              <tr key={key} data-testid={`group-${topic.name}/${group.name}`}>
                <th scope="row">
                  <button type="button" class="row-link" onClick={() => open('pending')}>
                    {withTopic && <span class="muted">{topic.name} / </span>}
                    {group.name}
                  </button>
                </th>
                <td>
                  <StateWord state={group.state} />
                </td>
                <td class="number">
                  <LagEntries lag={group.lag} />
                </td>
                <td class="number">
                  <LagTime lag={group.lag} />
                </td>
                <td class="number">{count(language, group.pending)}</td>
                <td class="number">
                  {group.pending === 0 ? (
                    <span class="muted">–</span>
                  ) : group.oldestPendingSeconds === null ? (
                    <Unknown />
                  ) : (
                    duration(t, group.oldestPendingSeconds)
                  )}
                </td>
                <td class="number">
                  <Rate value={group.outRate} />
                </td>
                <td>
                  {beats
                    ? t('groups.alive', { alive, all: group.consumers.length })
                    : count(language, group.consumers.length)}
                </td>
                <td class="number">
                  {group.dead > 0 ? (
                    <button type="button" class="dead-link" onClick={() => open('dead')}>
                      {count(language, group.dead)}
                    </button>
                  ) : (
                    <span class="muted">0</span>
                  )}
                </td>
                <td class="trend">
                  <Sparkline
                    values={samples.map((sample) => sample.groups.get(key)?.lag ?? null)}
                    label={`${t('groups.trend')}: ${group.name}`}
                  />
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

function TopicsTable({ topics, at }: { topics: readonly Topic[]; at: number }) {
  const { language, t, go } = usePage()
  const sorted = [...topics].sort((a, b) => a.name.localeCompare(b.name))
  return (
    <div class="scroll">
      <table class="rows" data-testid="topics">
        <caption class="sr-only">{t('topics.caption')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('topics.topic')}</th>
            <th scope="col" class="number">
              {t('topics.length')}
            </th>
            <th scope="col" class="number">
              {t('topics.in')}
            </th>
            <th scope="col">{t('topics.first')}</th>
            <th scope="col">{t('topics.last')}</th>
            <th scope="col" class="number">
              {t('topics.memory')}
            </th>
            <th scope="col">{t('topics.scheduled')}</th>
            <th scope="col" class="number">
              {t('topics.groups')}
            </th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((topic) => (
            <tr key={topic.name} data-testid={`topic-${topic.name}`}>
              <th scope="row">
                <button
                  type="button"
                  class="row-link"
                  onClick={() => go({ topic: topic.name, group: null, from: null, letter: null })}
                >
                  {topic.name}
                </button>
                {topic.partitions > 1 && <span class="tag">{t('topics.partitions', { n: topic.partitions })}</span>}
              </th>
              <td class="number">{count(language, topic.length)}</td>
              <td class="number">
                <Rate value={topic.inRate} />
              </td>
              <td>
                {topic.firstId === null ? (
                  <span class="muted">{t('topics.empty')}</span>
                ) : (
                  <EntryId id={topic.firstId} />
                )}
              </td>
              <td>{topic.lastId === null ? <span class="muted">–</span> : <EntryId id={topic.lastId} />}</td>
              <td class="number">{topic.memory === null ? <Unknown /> : bytes(language, topic.memory)}</td>
              <td>
                <Scheduled topic={topic} at={at} />
              </td>
              <td class="number">{count(language, topic.groups.length)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

export function Scheduled({ topic, at }: { topic: Topic; at: number }) {
  const { language, t } = usePage()
  const { waiting, nextDue } = topic.scheduled
  if (waiting === 0) return <span class="muted">0</span>
  return (
    <>
      {count(language, waiting)}
      {nextDue !== null && (
        <span class="muted">
          {' · '}
          {nextDue > at ? t('topics.due', { time: duration(t, (nextDue - at) / 1000) }) : t('topics.overdue')}
        </span>
      )}
    </>
  )
}
