import { useEffect, useRef, useState } from 'preact/hooks'
import {
  type DeadLetterRow,
  type DiscardAnswer,
  discardPath,
  type LetterSelection,
  type RedriveAnswer,
  redrivePath,
} from '../api.js'
import { request } from '../request.js'
import { usePage } from './context.js'

type Step =
  | { at: 'counting' }
  | { at: 'preview'; count: number; missing: number }
  | { at: 'working' }
  | { at: 'done'; count: number }
  | { at: 'failed'; reason: string }

export interface LetterDialogProps {
  topic: string
  group: string
  action: 'redrive' | 'discard'
  selection: LetterSelection
  sample: readonly DeadLetterRow[]
  onClose: (changed: boolean) => void
}

/**
 * Redrive and discard act on a selection bound when the dialog opened: the server counts it in a dry run, the count and
 * samples are shown, and only then may it be done. Discarding wants the group's name typed.
 */
export function LetterDialog({ topic, group, action, selection, sample, onClose }: LetterDialogProps) {
  const { t } = usePage()
  const dialog = useRef<HTMLDialogElement>(null)
  const [step, setStep] = useState<Step>({ at: 'counting' })
  const [typed, setTyped] = useState('')
  const path = action === 'redrive' ? redrivePath(topic, group) : discardPath(topic, group)

  useEffect(() => {
    dialog.current?.showModal()
    request<RedriveAnswer | DiscardAnswer>(path, { body: { ...selection, dryRun: true } })
      .then((answer) => setStep({ at: 'preview', count: answer.selected, missing: answer.missing }))
      .catch((error: Error) => setStep({ at: 'failed', reason: error.message }))
  }, [])

  const perform = async () => {
    setStep({ at: 'working' })
    try {
      const answer = await request<RedriveAnswer | DiscardAnswer>(path, { body: selection })
      setStep({ at: 'done', count: 'redriven' in answer ? answer.redriven : answer.discarded })
    } catch (error) {
      setStep({ at: 'failed', reason: error instanceof Error ? error.message : String(error) })
    }
  }
  const confirmed = action === 'redrive' || typed === group
  const close = () => dialog.current?.close()

  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="dialog-title" onClose={() => onClose(step.at === 'done')}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (step.at === 'preview' && confirmed && step.count > 0) void perform()
        }}
      >
        <h2 id="dialog-title">{t(`dialog.${action}`)}</h2>
        <div class="dialog-body" role="status">
          {step.at === 'counting' && <p class="muted">{t('dialog.previewing')}</p>}
          {step.at === 'working' && <p class="muted">{t('dialog.working')}</p>}
          {step.at === 'failed' && <p class="bad">{t('dialog.failed', { reason: step.reason })}</p>}
          {step.at === 'done' && (
            <p data-testid="dialog-done">
              {action === 'redrive'
                ? t('dialog.redriven', { n: step.count, topic })
                : t('dialog.discarded', { n: step.count })}
            </p>
          )}
          {step.at === 'preview' && (
            <>
              <p data-testid="dialog-preview">
                {action === 'redrive'
                  ? t('dialog.redrivePreview', { n: step.count, topic, group })
                  : t('dialog.discardPreview', { n: step.count })}
              </p>
              {step.missing > 0 && <p class="muted">{t('dialog.missing', { n: step.missing })}</p>}
              {'all' in selection && <p class="muted">{t('dialog.bound')}</p>}
              {sample.length > 0 && (
                <>
                  <h3>{t('dialog.sample')}</h3>
                  <ul class="sample">
                    {sample.map((letter) => (
                      <li key={letter.id}>
                        <code>{letter.fields.map((field) => field.value).join(' ')}</code>
                        <span class="muted">
                          {letter.error.name}: {letter.error.message}
                        </span>
                      </li>
                    ))}
                  </ul>
                </>
              )}
            </>
          )}
        </div>
        {step.at === 'preview' && action === 'discard' && (
          <label class="confirm">
            <span>{t('dialog.type', { group })}</span>
            <input
              data-testid="confirm"
              value={typed}
              autocomplete="off"
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </label>
        )}
        <footer>
          <button type="button" class="button" data-testid="dialog-close" onClick={close}>
            {step.at === 'done' || step.at === 'failed' ? t('dialog.close') : t('dialog.cancel')}
          </button>
          {step.at === 'preview' && (
            <button
              type="submit"
              class={action === 'redrive' ? 'button primary' : 'button danger filled'}
              data-testid="dialog-do"
              disabled={!confirmed || step.count === 0}
            >
              {t(action === 'redrive' ? 'dialog.doRedrive' : 'dialog.doDiscard', { n: step.count })}
            </button>
          )}
        </footer>
      </form>
    </dialog>
  )
}
