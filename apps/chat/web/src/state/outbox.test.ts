import { expect, test } from 'vitest'
import { type Keeper, Outbox } from './outbox.js'

function memory(): Keeper & { kept: Map<string, string> } {
  const kept = new Map<string, string>()
  return {
    kept,
    get length() {
      return kept.size
    },
    key: (index) => [...kept.keys()][index] ?? null,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  }
}

const entry = (clientId: string, at = 1) => ({ clientId, room: 'lobby', user: 'mina', text: clientId, at })
const ids = (entries: readonly { clientId: string }[]) => entries.map(({ clientId }) => clientId)

test('what was not acknowledged survives a reload under the same client ids, in the order written', () => {
  const keeper = memory()
  const before = new Outbox(keeper)
  before.add(entry('b', 2))
  before.add(entry('a', 1))
  before.take('mina')
  before.acknowledge('b')
  before.add(entry('c', 3))

  const after = new Outbox(keeper)
  expect(ids(after.take('mina'))).toEqual(['a', 'c'])
})

test('taken once until the connection breaks', () => {
  const outbox = new Outbox(memory())
  outbox.add(entry('a'))
  expect(ids(outbox.take('mina'))).toEqual(['a'])
  expect(outbox.take('mina')).toEqual([])
  outbox.rewind()
  expect(ids(outbox.take('mina'))).toEqual(['a'])
})

test("another user's queue of the same browser is not sent under this name", () => {
  const outbox = new Outbox(memory())
  outbox.add(entry('a'))
  expect(outbox.take('jun')).toEqual([])
})

test('a passing refusal is tried again, and given up only after many; a rate limit never is', () => {
  const outbox = new Outbox(memory())
  outbox.add(entry('a'))
  for (let time = 0; time < 20; time++) outbox.refuse('a', 'rate_limited')
  expect(outbox.entries()[0]!.state).toBe('waiting')
  for (let time = 0; time < 8; time++) outbox.refuse('a', 'unavailable')
  expect(outbox.entries()[0]).toMatchObject({ state: 'failed', failure: 'unavailable' })
})

test('a refusal for good fails at once; retry and discard are the user’s', () => {
  const keeper = memory()
  const outbox = new Outbox(keeper)
  outbox.add(entry('a'))
  outbox.refuse('a', 'too_long')
  expect(outbox.waiting).toBe(0)
  expect(outbox.entries()[0]).toMatchObject({ state: 'failed', failure: 'too_long' })
  outbox.retry('a')
  expect(ids(outbox.take('mina'))).toEqual(['a'])
  outbox.discard('a')
  expect(keeper.kept.size).toBe(0)
})

test('broken or foreign storage is passed over', () => {
  const keeper = memory()
  keeper.setItem('yeoul.chat.outbox.x', '{broken')
  keeper.setItem('yeoul.chat.outbox.y', '{"clientId":1}')
  keeper.setItem('other', 'thing')
  expect(new Outbox(keeper).entries()).toEqual([])
})

test('a full storage does not stop sending', () => {
  const keeper = {
    ...memory(),
    length: 0,
    setItem: () => {
      throw new Error('quota')
    },
  }
  const outbox = new Outbox(keeper)
  outbox.add(entry('a'))
  expect(ids(outbox.take('mina'))).toEqual(['a'])
})
