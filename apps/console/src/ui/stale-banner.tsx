import type { FeedState } from '../feed.js'
import { duration } from '../text/format.js'
import { usePage } from './context.js'
import { useNow } from './hooks.js'
import { Icon } from './icons.js'

/** The last good state stays on screen, greyed, with its age: never an empty page, never old figures shown as fresh. */
export function StaleBanner({ state, onRetry }: { state: FeedState; onRetry: () => void }) {
  const { t } = usePage()
  const now = useNow(true)
  const wait = state.nextAt === null ? null : Math.max(0, Math.ceil((state.nextAt - now) / 1000))
  return (
    <div class="banner" data-testid="stale">
      <Icon name="warning" />
      <p>
        <strong role="alert">{t('stale.title')}</strong>{' '}
        <span>
          {state.overview
            ? t('stale.text', { age: duration(t, Math.round(Math.max(0, now - state.receivedAt) / 1000)) })
            : t('stale.nothing')}
        </span>{' '}
        {wait !== null && <span>{t('stale.next', { n: wait })}</span>}
        <span class="reason">{state.problem}</span>
      </p>
      <button type="button" class="button" onClick={onRetry}>
        {t('stale.retry')}
      </button>
    </div>
  )
}
