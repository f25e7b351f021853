import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { preferences } from '../../../look/preferences.js'
import { type Overview, overviewPath } from '../api.js'
import { Feed, type FeedState } from '../feed.js'
import { remember, type Sample } from '../history.js'
import { request } from '../request.js'
import { translator } from '../text/strings.js'
import { formatView, parseView, type ViewState } from '../view-state.js'
import { PageContext } from './context.js'
import { GroupView } from './group-view.js'
import { OverviewView } from './overview-view.js'
import { StaleBanner } from './stale-banner.js'
import { TopBar } from './top-bar.js'
import { TopicView } from './topic-view.js'

const NOTHING: FeedState = { overview: null, receivedAt: 0, problem: null, nextAt: null }

export function App() {
  const [language, setLanguage] = useState(preferences.language)
  const [theme, setTheme] = useState(preferences.theme)
  const [view, setView] = useState(() => parseView(location.search))
  const [state, setState] = useState(NOTHING)
  const [samples, setSamples] = useState<readonly Sample[]>([])
  const feed = useRef<Feed | null>(null)

  useEffect(() => {
    const made = new Feed(view.refresh, {
      fetchOverview: (signal) => request<Overview>(overviewPath, { signal }),
      onChange: (next) => {
        setState(next)
        if (next.overview) setSamples((before) => remember(before, next.overview!))
      },
    })
    feed.current = made
    const visible = () => (document.hidden ? made.pause() : made.resume())
    visible()
    document.addEventListener('visibilitychange', visible)
    return () => {
      document.removeEventListener('visibilitychange', visible)
      made.pause()
    }
  }, [])
  useEffect(() => feed.current?.every(view.refresh), [view.refresh])

  useEffect(() => {
    const back = () => setView(parseView(location.search))
    addEventListener('popstate', back)
    return () => removeEventListener('popstate', back)
  }, [])

  const go = useCallback((change: Partial<ViewState>) => {
    setView((before) => {
      const next = { ...before, ...change }
      const elsewhere = next.topic !== before.topic || next.group !== before.group || next.tab !== before.tab
      history[elsewhere ? 'pushState' : 'replaceState'](null, '', location.pathname + formatView(next))
      if (elsewhere) scrollTo(0, 0)
      return next
    })
  }, [])

  const page = useMemo(() => ({ language, t: translator(language), view, go }), [language, view, go])
  const { t } = page
  const { overview } = state
  const topic = overview?.topics.find(({ name }) => name === view.topic)
  const group = topic?.groups.find(({ name }) => name === view.group)

  useEffect(() => {
    document.title = [view.group, view.topic, t('app.name')].filter(Boolean).join(' · ')
  }, [view.group, view.topic, t])

  return (
    <PageContext.Provider value={page}>
      <TopBar
        state={state}
        theme={theme}
        onLanguage={(chosen) => {
          preferences.keepLanguage(chosen)
          setLanguage(chosen)
        }}
        onTheme={(chosen) => {
          preferences.keepTheme(chosen)
          setTheme(chosen)
        }}
        onRefresh={() => void feed.current?.ask()}
      />
      {state.problem !== null && <StaleBanner state={state} onRetry={() => void feed.current?.ask()} />}
      <main class={state.problem !== null ? 'stale' : ''}>
        {!overview && state.problem === null && <Skeleton />}
        {overview && view.topic === null && <OverviewView overview={overview} samples={samples} />}
        {overview && view.topic !== null && !topic && <Missing title={t('topic.missing')} />}
        {topic && view.group === null && <TopicView topic={topic} samples={samples} at={overview!.at} />}
        {topic && view.group !== null && !group && <Missing title={t('group.missing')} />}
        {topic && group && (
          <GroupView
            key={`${topic.name}/${group.name}`}
            topic={topic}
            group={group}
            samples={samples}
            at={overview!.at}
            onChanged={() => void feed.current?.ask()}
          />
        )}
      </main>
    </PageContext.Provider>
  )

  function Missing({ title }: { title: string }) {
    return (
      <div class="card empty">
        <h2>{title}</h2>
        <p class="muted">{t('topic.missingHint')}</p>
        <button type="button" class="button" onClick={() => go({ topic: null, group: null, from: null, letter: null })}>
          {t('app.overview')}
        </button>
      </div>
    )
  }
}

function Skeleton() {
  return (
    <div class="skeleton" aria-hidden="true">
      <div class="figures">
        {Array.from({ length: 5 }, (_, index) => (
          <div class="card bone" key={index} />
        ))}
      </div>
      <div class="card bone tall" />
    </div>
  )
}
