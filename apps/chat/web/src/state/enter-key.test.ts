import { describe, expect, test } from 'vitest'
import { type EnterAction, type EnterState, type FieldEvent, idle, step } from './enter-key.js'

const enter = { key: 'Enter', code: 'Enter' }
const down13: FieldEvent = { type: 'keydown', ...enter, keyCode: 13, isComposing: false }
const down229: FieldEvent = { type: 'keydown', ...enter, keyCode: 229, isComposing: true }
const up: FieldEvent = { type: 'keyup', ...enter }
const letter: FieldEvent = { type: 'keydown', key: 'a', code: 'KeyA', keyCode: 65, isComposing: false }
const start: FieldEvent = { type: 'compositionstart' }
const update = (data: string): FieldEvent => ({ type: 'compositionupdate', data })
const end = (data: string): FieldEvent => ({ type: 'compositionend', data })
const key229 = (code: string, composing = true): FieldEvent => ({
  type: 'keydown',
  key: 'Process',
  code,
  keyCode: 229,
  isComposing: composing,
})
const lineBreak: FieldEvent = { type: 'beforeinput', inputType: 'insertLineBreak' }

function play(events: FieldEvent[]): { actions: EnterAction[]; sends: number; state: EnterState } {
  let state = idle
  const actions: EnterAction[] = []
  for (const event of events) {
    const next = step(state, event)
    state = next.state
    actions.push(next.action)
  }
  return { actions, sends: actions.filter((action) => action.startsWith('send')).length, state }
}

/** 안녕 typed, the second syllable still open. */
const openSyllable = [
  key229('KeyD', false),
  start,
  update('ㅇ'),
  update('안'),
  end('안'),
  start,
  update('녀'),
  update('녕'),
]

describe('Korean: the Enter that ends the last syllable sends the whole text once', () => {
  test.each([
    ['Chrome, macOS: a second keydown follows the commit', [...openSyllable, down229, end('녕'), down13, up]],
    ['Chrome, Windows: the key is called Process', [...openSyllable, key229('Enter'), end('녕'), down13, up]],
    ['Firefox: no second keydown', [...openSyllable, key229('Enter'), end('녕'), up]],
    ['no second keydown, and a newline comes with the commit', [...openSyllable, down229, end('녕'), lineBreak, up]],
    ['the commit carries no data', [...openSyllable, down229, end(''), down13, up]],
    [
      'macOS: the event says it is not composing while a syllable is open',
      [...openSyllable, { ...down229, isComposing: false }, end('녕'), down13, up],
    ],
    [
      'numeric keypad',
      [...openSyllable, key229('NumpadEnter'), end('녕'), { type: 'keyup', key: 'Enter', code: 'NumpadEnter' }],
    ],
  ] as [string, FieldEvent[]][])('%s', (_, events) => {
    const { actions, sends } = play(events)
    expect(sends).toBe(1)
    expect(actions).toContain('send-after-commit')
    expect(actions.slice(actions.indexOf('send-after-commit') + 1).filter((action) => action === 'send')).toEqual([])
  })

  test('Safari: the commit comes before the keydown, which is marked 229', () => {
    const { actions, sends } = play([...openSyllable, end('녕'), { ...down229, isComposing: false }, lineBreak, up])
    expect(sends).toBe(1)
    expect(actions.at(-3)).toBe('send')
    expect(actions.at(-2)).toBe('swallow')
  })

  test('the next message can be sent with one Enter again', () => {
    expect(
      play([...openSyllable, down229, end('녕'), down13, up, ...openSyllable, down229, end('녕'), down13, up]).sends,
    ).toBe(2)
  })

  test('the next message can be sent with one Enter even when the keyup was lost', () => {
    expect(play([...openSyllable, down229, end('녕'), letter, down13, up]).sends).toBe(2)
  })

  test('a syllable ended by a space, then Enter: one send', () => {
    expect(
      play([...openSyllable, key229('Space'), end('녕'), { type: 'keyup', key: ' ', code: 'Space' }, down13, up]).sends,
    ).toBe(1)
  })
})

describe('a candidate picked with Enter is not sent; the next Enter sends', () => {
  test.each([
    ['Japanese, Chrome', [start, update('かいぎ'), update('会議'), down229, end('会議'), up]],
    ['Japanese kana, Chrome', [start, update('かいぎ'), down229, end('かいぎ'), up]],
    ['Japanese, Safari', [start, update('会議'), end('会議'), { ...down229, isComposing: false }, up]],
    ['Pinyin, committed as letters', [start, update('nihao'), down229, end('nihao'), up]],
    ['Pinyin, a candidate', [start, update('ni hao'), down229, end('你好'), up]],
    ['Hanja for a Korean word', [start, update('회의'), update('會議'), down229, end('會議'), up]],
    ['Japanese, with a second keydown of the same press', [start, update('会議'), down229, end('会議'), down13, up]],
  ] as [string, FieldEvent[]][])('%s', (_, events) => {
    expect(play(events).sends).toBe(0)
    expect(play([...events, down13, up]).sends).toBe(1)
  })
})

describe('no input method', () => {
  test('Enter sends, Shift+Enter is the field’s', () => {
    expect(play([letter, down13, up]).actions).toEqual(['pass', 'send', 'pass'])
    expect(play([letter, { ...down13, shift: true } as FieldEvent, lineBreak, up]).actions).toEqual([
      'pass',
      'pass',
      'pass',
      'pass',
    ])
  })

  test('Shift+Enter while a syllable is open never sends', () => {
    const shift = (event: FieldEvent): FieldEvent => ({ ...event, shift: true }) as FieldEvent
    expect(play([...openSyllable, shift(down229), end('녕'), shift(down13), lineBreak, up]).sends).toBe(0)
  })

  test('a held Enter sends once', () => {
    const held = { ...down13, repeat: true } as FieldEvent
    expect(play([letter, down13, held, held, up]).sends).toBe(1)
  })
})
