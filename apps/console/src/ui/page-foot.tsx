import { usePage } from './context.js'

export function PageFoot({
  next,
  problem,
  loading,
}: {
  next: string | null
  problem: string | null
  loading: boolean
}) {
  const { t, view, go } = usePage()
  return (
    <div class="foot">
      {loading && <span class="muted">{t('page.loading')}</span>}
      {problem !== null && (
        <span class="bad" role="alert">
          {t('page.failed', { reason: problem })}
        </span>
      )}
      {view.from !== null && (
        <button type="button" class="button" onClick={() => go({ from: null })}>
          {t('page.first')}
        </button>
      )}
      {next !== null && (
        <button type="button" class="button" data-testid="next-page" onClick={() => go({ from: next })}>
          {t('page.next')}
        </button>
      )}
    </div>
  )
}
