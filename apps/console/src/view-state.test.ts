import { expect, test } from 'vitest'
import { formatView, initial, parseView, type ViewState } from './view-state.js'

test('the address brings back what was on screen', () => {
  const views: ViewState[] = [
    initial,
    { ...initial, topic: '여울/광장 & more', group: 'a=b?c', tab: 'dead', from: '5-0', letter: '7-1', refresh: 5_000 },
    { ...initial, topic: 't', refresh: 0 },
  ]
  for (const view of views) expect(parseView(formatView(view))).toEqual(view)
  expect(formatView(initial)).toBe('')
})

test('nonsense in the address falls back to the start', () => {
  expect(parseView('?group=alone&tab=x&refresh=banana')).toEqual(initial)
  expect(parseView('?refresh=0.001')).toEqual(initial)
})
