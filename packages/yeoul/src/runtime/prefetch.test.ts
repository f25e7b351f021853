import { expect, it } from 'vitest'
import { Prefetch } from './prefetch.js'

function setUp(atOnce: number, most: number) {
  let held = 0
  let retrying = 0
  const prefetch = new Prefetch(
    atOnce,
    most,
    () => held,
    () => retrying,
  )
  return {
    prefetch,
    hold: (count: number, waiting = 0) => {
      held = count
      retrying = waiting
    },
  }
}

it('R10 reads further ahead while handlers run dry, up to its limit', () => {
  const { prefetch } = setUp(16, 100)
  expect(prefetch.room()).toBe(32)
  prefetch.onRead(32, 32, 0)
  expect(prefetch.room()).toBe(64)
  prefetch.onRead(10, 64, 0)
  prefetch.onRead(64, 64, 5)
  expect(prefetch.room()).toBe(64)
  prefetch.onRead(64, 64, 0)
  expect(prefetch.room()).toBe(100)
})

it('R10 reads less far when messages have to wait, down to what runs at once', () => {
  const { prefetch } = setUp(4, 100)
  for (let i = 0; i < 5; i++) prefetch.onStarted(5_000)
  expect(prefetch.room()).toBe(4)
})

it('R10 waiting retries take no room until they are as many as may be held', () => {
  const { prefetch, hold } = setUp(16, 100)
  hold(60, 50)
  expect(prefetch.room()).toBe(22)
  hold(100, 100)
  expect(prefetch.room()).toBe(0)
})

it('R10 waits until a read is worth its round trip, or the signal aborts', async () => {
  const { prefetch, hold } = setUp(4, 8)
  hold(8)
  const ending = new AbortController()
  const steps: string[] = []
  const waited = prefetch.whenRoom(ending.signal).then(() => steps.push('room'))
  hold(5)
  prefetch.onRemoved()
  await Promise.resolve()
  expect(steps).toEqual([])
  hold(4)
  prefetch.onRemoved()
  await waited
  expect(steps).toEqual(['room'])
  hold(8)
  const aborted = prefetch.whenRoom(ending.signal)
  ending.abort()
  await aborted
})
