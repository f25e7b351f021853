import { expect, test } from 'vitest'
import { group, overview, topic } from './overview.fixture.js'
import { byTrouble, figures } from './trouble.js'

test('groups in trouble come first, then the longer lag, the older pending, more dead letters', () => {
  const rows = byTrouble(
    overview(1, [
      topic('b', [group('fine'), group('stalled', { state: 'stalled' })]),
      topic('a', [
        group('dead', { dead: 3 }),
        group('old', { pending: 1, oldestPendingSeconds: 9 }),
        group('unknown', { state: 'unknown-lag' }),
        group('slow', { state: 'falling-behind', lag: { kind: 'exact', entries: 1, seconds: 1 } }),
        group('slower', { state: 'falling-behind', lag: { kind: 'exact', entries: 1, seconds: 60 } }),
        group('nobody', { state: 'no-consumers' }),
      ]),
    ]),
  )
  expect(rows.map((row) => row.group.name)).toEqual([
    'stalled',
    'nobody',
    'slower',
    'slow',
    'unknown',
    'old',
    'dead',
    'fine',
  ])
})

test('what is not known is never counted as zero', () => {
  const unknown = group('g', { lag: { kind: 'unknown', entries: null, seconds: null }, outRate: null, pending: 2 })
  const only = figures(overview(1, [topic('t', [unknown], { inRate: null })]))
  expect(only.in).toEqual({ value: null, unknown: 1 })
  expect(only.out).toEqual({ value: null, unknown: 1 })
  expect(only.lagSeconds).toEqual({ value: null, unknown: 1 })
  expect(only.oldestPending).toEqual({ value: null, unknown: 1 })

  const mixed = figures(
    overview(1, [topic('t', [unknown, group('h', { lag: { kind: 'exact', entries: 1, seconds: 4 }, outRate: 2 })])]),
  )
  expect(mixed.lagSeconds).toEqual({ value: 4, unknown: 1 })
  expect(mixed.out).toEqual({ value: 2, unknown: 1 })
})

test('nothing at all is zero', () => {
  expect(figures(overview(1, [])).lagSeconds).toEqual({ value: 0, unknown: 0 })
})
