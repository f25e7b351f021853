import { type EntryPage, entriesPath, type Topic } from '../api.js'
import type { Sample } from '../history.js'
import { bytes, count, exactTime } from '../text/format.js'
import { byTrouble } from '../trouble.js'
import { EntryId, Rate, Unknown } from './cells.js'
import { usePage } from './context.js'
import { Crumbs } from './crumbs.js'
import { FieldsLine } from './fields.js'
import { useLoaded } from './hooks.js'
import { GroupsTable, Scheduled } from './overview-view.js'
import { PageFoot } from './page-foot.js'

const COUNT = 25

export function TopicView({ topic, samples, at }: { topic: Topic; samples: readonly Sample[]; at: number }) {
  const { language, t, view } = usePage()
  const path = entriesPath(topic.name, { from: view.from ?? undefined, count: COUNT, reverse: true })
  // The newest page follows the topic; an older one stands still.
  const { answer, problem } = useLoaded<EntryPage>(path, view.from === null ? topic.lastId : null)
  const rows = byTrouble({ at, server: undefined as never, topics: [topic] })
  return (
    <>
      <Crumbs topic={topic.name} />
      <section class="card head">
        <h1>{topic.name}</h1>
        <dl class="facts">
          <div>
            <dt>{t('topics.length')}</dt>
            <dd>{count(language, topic.length)}</dd>
          </div>
          <div>
            <dt>{t('topics.in')}</dt>
            <dd>
              <Rate value={topic.inRate} />
            </dd>
          </div>
          <div>
            <dt>{t('topics.memory')}</dt>
            <dd>{topic.memory === null ? <Unknown /> : bytes(language, topic.memory)}</dd>
          </div>
          <div>
            <dt>{t('topics.scheduled')}</dt>
            <dd>
              <Scheduled topic={topic} at={at} />
            </dd>
          </div>
        </dl>
      </section>
      <section class="card">
        <h2>{t('groups.title')}</h2>
        {rows.length === 0 ? (
          <div class="empty small">
            <h3>{t('groups.none')}</h3>
            <p class="muted">{t('groups.noneHint')}</p>
          </div>
        ) : (
          <GroupsTable rows={rows} samples={samples} />
        )}
      </section>
      <section class="card">
        <h2>{t('topic.entries')}</h2>
        {answer && answer.rows.length === 0 && <p class="muted pad">{t('topics.empty')}</p>}
        {answer && answer.rows.length > 0 && (
          <div class="scroll">
            <table class="rows" data-testid="entries">
              <thead>
                <tr>
                  <th scope="col">{t('pending.id')}</th>
                  <th scope="col">{t('entry.at')}</th>
                  <th scope="col">{t('entry.fields')}</th>
                </tr>
              </thead>
              <tbody>
                {answer.rows.map((entry) => (
                  <tr key={entry.id}>
                    <th scope="row">
                      <EntryId id={entry.id} />
                    </th>
                    <td class="time">{exactTime(language, entry.at)}</td>
                    <td class="wide">
                      <FieldsLine fields={entry.fields} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <PageFoot next={answer?.next ?? null} problem={problem} loading={!answer && !problem} />
      </section>
    </>
  )
}
