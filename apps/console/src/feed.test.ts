import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Overview } from './api.js'
import { Feed, type FeedState } from './feed.js'
import { overview } from './overview.fixture.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function feed(interval: number) {
  const asked: { answer: (overview: Overview) => void; fail: (error: Error) => void; signal: AbortSignal }[] = []
  let state: FeedState | undefined
  const made = new Feed(interval, {
    fetchOverview: (signal) => new Promise((answer, fail) => asked.push({ answer, fail, signal })),
    onChange: (next) => (state = next),
  })
  return { made, asked, state: () => state! }
}

const settle = () => vi.advanceTimersByTimeAsync(0)

test('the next request waits for the answer to the last one', async () => {
  const { made, asked, state } = feed(1_000)
  made.resume()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(asked).toHaveLength(1)
  asked[0]!.answer(overview(1, []))
  await settle()
  expect(state().overview!.at).toBe(1)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(asked).toHaveLength(2)
})

test('a failure keeps the last good state, says why, and waits longer each time', async () => {
  const { made, asked, state } = feed(1_000)
  made.resume()
  asked[0]!.answer(overview(1, []))
  await vi.advanceTimersByTimeAsync(1_000)
  asked[1]!.fail(new Error('refused'))
  await settle()
  expect(state()).toMatchObject({ problem: 'refused', overview: { at: 1 } })
  await vi.advanceTimersByTimeAsync(1_000)
  asked[2]!.fail(new Error('refused'))
  await vi.advanceTimersByTimeAsync(1_999)
  expect(asked).toHaveLength(3)
  await vi.advanceTimersByTimeAsync(1)
  expect(asked).toHaveLength(4)
  asked[3]!.answer(overview(2, []))
  await settle()
  expect(state().problem).toBeNull()
})

test('nothing is asked while paused, and an answer that comes too late is dropped', async () => {
  const { made, asked, state } = feed(1_000)
  made.resume()
  made.pause()
  expect(asked[0]!.signal.aborted).toBe(true)
  asked[0]!.answer(overview(1, []))
  await vi.advanceTimersByTimeAsync(10_000)
  expect(asked).toHaveLength(1)
  expect(state().overview).toBeNull()
  made.resume()
  expect(asked).toHaveLength(2)
})

test('refresh off asks only when told to', async () => {
  const { made, asked } = feed(0)
  made.resume()
  asked[0]!.answer(overview(1, []))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toHaveLength(1)
  void made.ask()
  expect(asked).toHaveLength(2)
})
