import { useEffect, useState } from 'preact/hooks'
import { type DeadLetterPage, type DeadLetterRow, deadLettersPath, type Group, type LetterSelection } from '../api.js'
import { count, exactTime } from '../text/format.js'
import { EntryId } from './cells.js'
import { usePage } from './context.js'
import { FieldsBlock } from './fields.js'
import { useLoaded } from './hooks.js'
import { Icon } from './icons.js'
import { LetterDialog } from './letter-dialog.js'
import { PageFoot } from './page-foot.js'

interface Asked {
  action: 'redrive' | 'discard'
  selection: LetterSelection
  sample: DeadLetterRow[]
}

export function DeadLetters({ topic, group, onChanged }: { topic: string; group: Group; onChanged: () => void }) {
  const { language, t, view, go } = usePage()
  const [renew, setRenew] = useState(0)
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [asked, setAsked] = useState<Asked | null>(null)
  const path = deadLettersPath(topic, group.name, { from: view.from ?? undefined, count: 50 })
  const { answer, problem } = useLoaded<DeadLetterPage>(path, `${group.dead}/${renew}`)
  const rows = answer?.rows ?? []
  const open = rows.find((row) => row.id === view.letter)

  // What is gone cannot stay selected.
  useEffect(() => {
    if (!answer) return
    const there = new Set(answer.rows.map((row) => row.id))
    setSelected((before) =>
      [...before].every((id) => there.has(id)) ? before : new Set([...before].filter((id) => there.has(id))),
    )
  }, [answer])

  const mark = (id: string, on: boolean) => {
    const next = new Set(selected)
    if (on) next.add(id)
    else next.delete(id)
    setSelected(next)
  }
  const chosen = (): { selection: LetterSelection; sample: DeadLetterRow[] } | null => {
    if (selected.size > 0) {
      const ids = rows.filter((row) => selected.has(row.id)).map((row) => row.id)
      return { selection: { ids }, sample: rows.filter((row) => selected.has(row.id)).slice(0, 3) }
    }
    if (!answer?.lastId) return null
    return { selection: { all: true, upTo: answer.lastId }, sample: rows.slice(0, 3) }
  }
  const ask = (action: Asked['action']) => {
    const choice = chosen()
    if (choice) setAsked({ action, ...choice })
  }

  if (answer && rows.length === 0 && view.from === null) {
    return (
      <>
        <div class="empty small">
          <h3>{t('dead.none')}</h3>
          <p class="muted">{t('dead.noneHint')}</p>
        </div>
        {dialog()}
      </>
    )
  }
  return (
    <>
      <div class="actions">
        <span class="muted" role="status">
          {selected.size > 0
            ? t('dead.selected', { n: selected.size })
            : answer && t('dead.all', { n: count(language, answer.total) })}
        </span>
        <button
          type="button"
          class="button primary"
          data-testid="redrive"
          disabled={!answer}
          onClick={() => ask('redrive')}
        >
          {t('dead.redrive')}
        </button>
        <button
          type="button"
          class="button danger"
          data-testid="discard"
          disabled={!answer}
          onClick={() => ask('discard')}
        >
          {t('dead.discard')}
        </button>
      </div>
      <div class={open ? 'split' : ''}>
        <div class="scroll">
          <table class="rows" data-testid="dead-letters">
            <thead>
              <tr>
                <th scope="col" class="check">
                  <input
                    type="checkbox"
                    aria-label={t('dead.selectAll')}
                    checked={rows.length > 0 && selected.size === rows.length}
                    onChange={(event) =>
                      setSelected(event.currentTarget.checked ? new Set(rows.map((row) => row.id)) : new Set())
                    }
                  />
                </th>
                <th scope="col">{t('dead.error')}</th>
                <th scope="col" class="number">
                  {t('dead.attempts')}
                </th>
                <th scope="col">{t('dead.at')}</th>
                <th scope="col">{t('dead.origin')}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.id} class={row.id === view.letter ? 'open' : ''}>
                  <td class="check">
                    <input
                      type="checkbox"
                      aria-label={`${t('dead.select')} ${row.id}`}
                      checked={selected.has(row.id)}
                      onChange={(event) => mark(row.id, event.currentTarget.checked)}
                    />
                  </td>
                  <th scope="row" class="wide">
                    <button
                      type="button"
                      class="row-link"
                      data-testid="letter"
                      aria-expanded={row.id === view.letter}
                      onClick={() => go({ letter: row.id === view.letter ? null : row.id })}
                    >
                      <span class="error-name">{row.error.name}</span> {row.error.message}
                    </button>
                  </th>
                  <td class="number">{count(language, row.attempts)}</td>
                  <td class="time">{exactTime(language, row.at)}</td>
                  <td>
                    <EntryId id={row.originId} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {open && <Inspector letter={open} onClose={() => go({ letter: null })} />}
      </div>
      {!open && rows.length > 0 && <p class="muted pad">{t('dead.pick')}</p>}
      <PageFoot next={answer?.next ?? null} problem={problem} loading={!answer && !problem} />
      {dialog()}
    </>
  )

  function dialog() {
    return (
      asked && (
        <LetterDialog
          topic={topic}
          group={group.name}
          action={asked.action}
          selection={asked.selection}
          sample={asked.sample}
          onClose={(changed) => {
            setAsked(null)
            if (!changed) return
            setSelected(new Set())
            setRenew((times) => times + 1)
            go({ letter: null, from: null })
            onChanged()
          }}
        />
      )
    )
  }
}

function Inspector({ letter, onClose }: { letter: DeadLetterRow; onClose: () => void }) {
  const { language, t } = usePage()
  return (
    <aside class="inspector" data-testid="inspector" aria-label={letter.id}>
      <header>
        <h3>
          <span class="error-name">{letter.error.name}</span>
        </h3>
        <button type="button" class="icon-button" aria-label={t('dialog.close')} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <p class="error-text">{letter.error.message}</p>
      <h4>{t('dead.payload')}</h4>
      <FieldsBlock fields={letter.fields} />
      <h4>{t('dead.trail')}</h4>
      {letter.trail.length === 0 ? (
        <p class="muted">{t('dead.noTrail')}</p>
      ) : (
        <ol class="trail">
          {letter.trail.map((attempt) => (
            <li key={attempt.attempt}>
              <b>{t('dead.attempt', { n: attempt.attempt })}</b>
              <span class="muted">
                {exactTime(language, attempt.at)}
                {attempt.consumer !== null && ` · ${attempt.consumer}`}
              </span>
              <span>{attempt.error}</span>
            </li>
          ))}
        </ol>
      )}
      {letter.error.stack !== null && (
        <details>
          <summary>{t('dead.stack')}</summary>
          <pre>{letter.error.stack}</pre>
        </details>
      )}
    </aside>
  )
}
