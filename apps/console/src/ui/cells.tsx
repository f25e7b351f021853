import type { GroupState, Lag } from '../api.js'
import { count, duration, exactTime, timeOfId } from '../text/format.js'
import { usePage } from './context.js'
import { Icon } from './icons.js'

export function StateWord({ state }: { state: GroupState }) {
  const { t } = usePage()
  return (
    <span class={`state ${state}`} data-testid="state" data-state={state} title={t(`state.${state}.hint`)}>
      <Icon name={state} size={16} />
      {t(`state.${state}`)}
    </span>
  )
}

/** Entries behind. What is not known is "?" with its reason, what is estimated carries "~"; neither is ever a plain number. */
export function LagEntries({ lag }: { lag: Lag }) {
  const { language, t } = usePage()
  if (lag.kind === 'unknown' || lag.entries === null) return <Unknown reason={lag.reason} />
  if (lag.kind === 'estimated') {
    return (
      <abbr class="estimated" title={lag.reason ? t('lag.estimated', { reason: lag.reason }) : undefined}>
        ~{count(language, lag.entries)}
      </abbr>
    )
  }
  return <>{count(language, lag.entries)}</>
}

export function LagTime({ lag }: { lag: Lag }) {
  const { t } = usePage()
  if (lag.seconds === null) return <Unknown reason={lag.reason} />
  return (
    <>
      {lag.kind === 'estimated' ? '~' : ''}
      {duration(t, lag.seconds)}
    </>
  )
}

export function Unknown({ reason }: { reason?: string }) {
  const { t } = usePage()
  const words = reason ? t('lag.reason', { reason }) : t('lag.unknown')
  return (
    <abbr class="unknown" title={words}>
      <span aria-hidden="true">?</span>
      <span class="sr-only">{words}</span>
    </abbr>
  )
}

export function Rate({ value }: { value: number | null }) {
  const { language } = usePage()
  return value === null ? <Unknown /> : <>{count(language, value)}</>
}

/** An entry id with the time it carries in the tooltip. */
export function EntryId({ id }: { id: string }) {
  const { language } = usePage()
  const at = timeOfId(id)
  return (
    <code class="id" title={at === null ? undefined : exactTime(language, at)}>
      {id}
    </code>
  )
}
