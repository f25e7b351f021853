import { type Group, type PendingPage, pendingPath, type Topic } from '../api.js'
import type { Sample } from '../history.js'
import { count, duration } from '../text/format.js'
import type { Tab } from '../view-state.js'
import { EntryId, LagEntries, LagTime, Rate, StateWord } from './cells.js'
import { usePage } from './context.js'
import { Crumbs } from './crumbs.js'
import { DeadLetters } from './dead-letters.js'
import { GroupChart } from './group-chart.js'
import { useLoaded } from './hooks.js'
import { PageFoot } from './page-foot.js'

export interface GroupViewProps {
  topic: Topic
  group: Group
  samples: readonly Sample[]
  at: number
  onChanged: () => void
}

export function GroupView({ topic, group, samples, at, onChanged }: GroupViewProps) {
  const { language, t, view, go } = usePage()
  const tabs: [Tab, number][] = [
    ['pending', group.pending],
    ['dead', group.dead],
    ['consumers', group.consumers.length],
  ]
  return (
    <>
      <Crumbs topic={topic.name} group={group.name} />
      <section class="card head">
        <div class="head-line">
          <h1>{group.name}</h1>
          <StateWord state={group.state} />
        </div>
        <p class="muted">{t(`state.${group.state}.hint`)}</p>
        <dl class="facts">
          <div>
            <dt title={t('term.lag')}>{t('groups.lag')}</dt>
            <dd>
              <LagEntries lag={group.lag} />
            </dd>
          </div>
          <div>
            <dt>{t('groups.lagTime')}</dt>
            <dd>
              <LagTime lag={group.lag} />
            </dd>
          </div>
          <div>
            <dt title={t('term.pending')}>{t('groups.pending')}</dt>
            <dd>{count(language, group.pending)}</dd>
          </div>
          <div>
            <dt>{t('groups.out')}</dt>
            <dd>
              <Rate value={group.outRate} />
            </dd>
          </div>
          <div>
            <dt>{t('group.lastDelivered')}</dt>
            <dd>
              <EntryId id={group.lastDeliveredId} />
            </dd>
          </div>
        </dl>
        {group.lag.kind !== 'exact' && group.lag.reason && (
          <p class="muted">
            {t(group.lag.kind === 'unknown' ? 'lag.reason' : 'lag.estimated', { reason: group.lag.reason })}
          </p>
        )}
        <GroupChart topic={topic.name} group={group.name} samples={samples} />
      </section>
      <section class="card">
        <div class="tabs" role="tablist">
          {tabs.map(([tab, amount]) => (
            <button
              type="button"
              key={tab}
              role="tab"
              id={`tab-${tab}`}
              data-testid={`tab-${tab}`}
              aria-selected={view.tab === tab}
              aria-controls="tab-body"
              onClick={() => go({ tab, from: null, letter: null })}
            >
              {t(`tab.${tab}`)} <span class="amount">{count(language, amount)}</span>
            </button>
          ))}
        </div>
        <div id="tab-body" role="tabpanel" aria-labelledby={`tab-${view.tab}`}>
          {view.tab === 'pending' && <Pending topic={topic} group={group} at={at} />}
          {view.tab === 'dead' && <DeadLetters topic={topic.name} group={group} onChanged={onChanged} />}
          {view.tab === 'consumers' && <Consumers group={group} />}
        </div>
      </section>
    </>
  )
}

function Pending({ topic, group, at }: { topic: Topic; group: Group; at: number }) {
  const { language, t, view } = usePage()
  const { answer, problem } = useLoaded<PendingPage>(
    pendingPath(topic.name, group.name, { from: view.from ?? undefined, count: 50 }),
    at,
  )
  return (
    <>
      {answer && answer.rows.length === 0 && (
        <div class="empty small">
          <h3>{t('pending.none')}</h3>
          <p class="muted">{t('pending.noneHint')}</p>
        </div>
      )}
      {answer && answer.rows.length > 0 && (
        <div class="scroll">
          <table class="rows" data-testid="pending">
            <thead>
              <tr>
                <th scope="col">{t('pending.id')}</th>
                <th scope="col" class="number">
                  {t('pending.age')}
                </th>
                <th scope="col">{t('pending.consumer')}</th>
                <th scope="col" class="number">
                  {t('pending.deliveries')}
                </th>
                <th scope="col" class="number">
                  {t('pending.idle')}
                </th>
              </tr>
            </thead>
            <tbody>
              {answer.rows.map((row) => (
                <tr key={row.id}>
                  <th scope="row">
                    <EntryId id={row.id} />
                  </th>
                  <td class="number">{duration(t, row.ageSeconds)}</td>
                  <td>{row.consumer}</td>
                  <td class={row.deliveries > 2 ? 'number often' : 'number'}>{count(language, row.deliveries)}</td>
                  <td class="number">{duration(t, row.idleSeconds)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <PageFoot next={answer?.next ?? null} problem={problem} loading={!answer && !problem} />
    </>
  )
}

function Consumers({ group }: { group: Group }) {
  const { language, t } = usePage()
  if (group.consumers.length === 0) {
    return (
      <div class="empty small">
        <h3>{t('consumers.none')}</h3>
        <p class="muted">{t('state.no-consumers.hint')}</p>
      </div>
    )
  }
  return (
    <div class="scroll">
      <table class="rows" data-testid="consumers">
        <thead>
          <tr>
            <th scope="col">{t('consumers.name')}</th>
            <th scope="col">{t('groups.state')}</th>
            <th scope="col" class="number">
              {t('consumers.pending')}
            </th>
            <th scope="col" class="number">
              {t('consumers.idle')}
            </th>
          </tr>
        </thead>
        <tbody>
          {group.consumers.map((consumer) => {
            const beat = consumer.alive === null ? 'unknown' : consumer.alive ? 'alive' : 'dead'
            return (
              <tr key={consumer.name}>
                <th scope="row">{consumer.name}</th>
                <td>
                  <span class={`beat ${beat}`} title={beat === 'unknown' ? t('consumers.unknownHint') : undefined}>
                    <span class="dot" aria-hidden="true" />
                    {t(`consumers.${beat}`)}
                  </span>
                </td>
                <td class="number">{count(language, consumer.pending)}</td>
                <td class="number">{duration(t, consumer.idleSeconds)}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
