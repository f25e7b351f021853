import { expect, test } from 'vitest'
import { message } from './messages.fixture.js'
import type { Outgoing } from './outbox.js'
import { type RowsInput, rows } from './rows.js'
import { Timeline } from './timeline.js'

function input(over: Partial<RowsInput> = {}): RowsInput {
  return {
    timeline: new Timeline(),
    outgoing: [],
    user: 'sua',
    members: 3,
    reads: new Map(),
    dividerAfter: null,
    from: 0,
    ...over,
  }
}

const outgoing = (clientId: string, over: Partial<Outgoing> = {}): Outgoing => ({
  clientId,
  room: 'lobby',
  user: 'sua',
  text: 'hi',
  at: message(1).at,
  state: 'waiting',
  refusals: 0,
  ...over,
})

test('a gap stands where its messages belong, a divider before the first unread message of another', () => {
  const timeline = new Timeline()
  timeline.startAfter(0)
  timeline.merge([message(1), message(2, { user: 'sua' }), message(5), message(6)])
  const kinds = rows(input({ timeline, dividerAfter: 1 })).map((row) => row.kind)
  expect(kinds).toEqual(['day', 'message', 'message', 'gap', 'divider', 'message', 'message'])
})

test('a hole at the end is shown at the end', () => {
  const timeline = new Timeline()
  timeline.startAfter(0)
  timeline.merge([message(1)])
  timeline.raiseTop(3)
  expect(rows(input({ timeline })).at(-1)).toMatchObject({ kind: 'gap', from: 2, to: 3 })
})

test('runs of one author within five minutes are joined; a day, another author or a pause parts them', () => {
  const timeline = new Timeline()
  const minute = 60_000
  const at = new Date(2026, 10, 22, 12, 0).getTime()
  timeline.merge([
    message(1, { at }),
    message(2, { at: at + minute }),
    message(3, { at: at + 2 * minute, user: 'jun' }),
    message(4, { at: at + 9 * minute, user: 'jun' }),
    message(5, { at: at + 24 * 60 * minute, user: 'jun' }),
  ])
  const shown = rows(input({ timeline }))
  expect(shown.map((row) => (row.kind === 'message' ? [row.first, row.last] : row.kind))).toEqual([
    'day',
    [true, false],
    [false, true],
    [true, true],
    [true, true],
    'day',
    [true, true],
  ])
})

test('status: logged, stored, read by all', () => {
  const timeline = new Timeline()
  timeline.merge([message(1, { user: 'sua' }), message(2, { user: 'sua' }), message(3, { user: 'sua' })])
  timeline.markStored(2)
  const reads = new Map([
    ['mina', 1],
    ['jun', 1],
    ['sua', 3],
  ])
  const shown = rows(input({ timeline, reads })).filter((row) => row.kind === 'message')
  expect(shown.map((row) => [row.status, row.unread])).toEqual([
    ['read', 0],
    ['stored', 2],
    ['logged', 2],
  ])
})

test('alone in a room nothing claims to be read by all', () => {
  const timeline = new Timeline()
  timeline.merge([message(1, { user: 'sua', stored: true })])
  expect(rows(input({ timeline, members: 1 }))[1]).toMatchObject({ status: 'stored', unread: 0 })
})

test('an outgoing message gives way to its own arrival: never shown twice', () => {
  const timeline = new Timeline()
  timeline.merge([message(1, { user: 'sua', clientId: 'x' })])
  const shown = rows(input({ timeline, outgoing: [outgoing('x'), outgoing('y')] }))
  expect(shown.map((row) => row.key)).toEqual(['day-1', 'm-1', 'o-y'])
})

test('from cuts older rows and older gaps', () => {
  const timeline = new Timeline()
  timeline.startAfter(0)
  timeline.merge([message(1), message(4), message(5)])
  expect(rows(input({ timeline, from: 4 })).map((row) => row.kind)).toEqual(['day', 'message', 'message'])
})
