import { expect, test } from 'vitest'
import { groupKey, remember, type Sample } from './history.js'
import { group, overview, topic } from './overview.fixture.js'

test('a repeated or older snapshot adds nothing', () => {
  const one = remember([], overview(10, []))
  expect(remember(one, overview(10, []))).toBe(one)
  expect(remember(one, overview(9, []))).toBe(one)
})

test('an unknown lag is kept as unknown', () => {
  const lag = { kind: 'unknown', entries: null, seconds: null } as const
  const [sample] = remember([], overview(1, [topic('t', [group('g', { lag })])]))
  expect(sample!.groups.get(groupKey('t', 'g'))).toEqual({ lag: null, pending: 0, outRate: 0 })
})

test('bounded however long the page is open', () => {
  let samples: readonly Sample[] = []
  for (let at = 1; at <= 1_000; at++) samples = remember(samples, overview(at, []))
  expect(samples).toHaveLength(300)
  expect(samples.at(-1)!.at).toBe(1_000)
})

test('topic and group names that contain the other’s separator do not meet', () => {
  expect(groupKey('a/b', 'c')).not.toBe(groupKey('a', 'b/c'))
})
