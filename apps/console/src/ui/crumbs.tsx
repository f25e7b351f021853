import { usePage } from './context.js'
import { Icon } from './icons.js'

export function Crumbs({ topic, group }: { topic: string; group?: string }) {
  const { t, go } = usePage()
  const there = { group: null, from: null, letter: null }
  return (
    <nav class="crumbs" aria-label={t('app.overview')}>
      <button type="button" onClick={() => go({ topic: null, ...there })}>
        {t('app.overview')}
      </button>
      <Icon name="right" size={14} />
      {group === undefined ? (
        <span aria-current="page">{topic}</span>
      ) : (
        <>
          <button type="button" onClick={() => go({ topic, ...there })}>
            {topic}
          </button>
          <Icon name="right" size={14} />
          <span aria-current="page">{group}</span>
        </>
      )}
    </nav>
  )
}
