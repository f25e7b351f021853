export type Tab = 'pending' | 'dead' | 'consumers'

/** What is on screen, as the address bar holds it: a link shows the same thing to somebody else. */
export interface ViewState {
  topic: string | null
  group: string | null
  tab: Tab
  /** First row of the page shown; null = the beginning. */
  from: string | null
  /** The dead letter in the inspector. */
  letter: string | null
  /** ms between requests; 0 = off. */
  refresh: number
}

export const REFRESHES = [0, 1_000, 2_000, 5_000, 30_000] as const
export const initial: ViewState = { topic: null, group: null, tab: 'pending', from: null, letter: null, refresh: 2_000 }

export function parseView(search: string): ViewState {
  const query = new URLSearchParams(search)
  const topic = query.get('topic') || null
  const group = topic === null ? null : query.get('group') || null
  const tab = query.get('tab')
  const refresh = Number(query.get('refresh') ?? Number.NaN) * 1000
  return {
    topic,
    group,
    tab: tab === 'dead' || tab === 'consumers' ? tab : 'pending',
    from: query.get('from') || null,
    letter: query.get('letter') || null,
    refresh: (REFRESHES as readonly number[]).includes(refresh) ? refresh : initial.refresh,
  }
}

/** Only what differs from the start page; empty for the start page itself. */
export function formatView(view: ViewState): string {
  const query = new URLSearchParams()
  if (view.topic !== null) query.set('topic', view.topic)
  if (view.group !== null) query.set('group', view.group)
  if (view.group !== null && view.tab !== 'pending') query.set('tab', view.tab)
  if (view.from !== null) query.set('from', view.from)
  if (view.letter !== null) query.set('letter', view.letter)
  if (view.refresh !== initial.refresh) query.set('refresh', String(view.refresh / 1000))
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}
