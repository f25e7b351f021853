/**
 * What an Enter means in a text field where an input method may be composing. A pure step function over the events the field
 * gets; the composer feeds it and obeys.
 *
 * What browsers do when Enter is pressed while a syllable is open:
 *
 *   Chrome, Firefox   keydown (keyCode 229, composing) · compositionend · [keydown 13, Korean only, not everywhere] · keyup
 *   Safari            compositionend · keydown (keyCode 229, flagged as not composing) · keyup
 *
 * A Korean syllable has nothing to choose: that Enter means "send", once, with the last syllable in. In Japanese, Chinese
 * and Hanja conversion the same Enter picks a candidate and must not send. What was committed tells them apart: it ends in
 * Hangul, or it does not. Sending waits for the commit, because before it the field lacks the last syllable, and the
 * second keydown of the same press is swallowed, because it would send what the commit left or add a newline.
 */
export type FieldEvent =
  | {
      type: 'keydown'
      key: string
      code?: string
      keyCode: number
      isComposing: boolean
      shift?: boolean
      repeat?: boolean
    }
  | { type: 'keyup'; key: string; code?: string }
  | { type: 'compositionstart' }
  | { type: 'compositionupdate'; data: string }
  | { type: 'compositionend'; data: string }
  | { type: 'beforeinput'; inputType: string }

export type EnterAction =
  /** Not ours: let the field do what it does. */
  | 'pass'
  /** Send what is in the field now; keep the newline out. */
  | 'send'
  /** Send once the commit has reached the field (next task). */
  | 'send-after-commit'
  /** Keep the newline out and do nothing. */
  | 'swallow'

export interface EnterState {
  composing: boolean
  /** Last text the open composition showed. */
  composed: string
  /** Enter went down while the composition was open. */
  enterWhileComposing: boolean
  /** The press now held has sent already, or has picked a candidate: nothing more comes of it. */
  spent: boolean
  /** What the last composition committed, until another key is pressed. */
  committed: string | null
}

export const idle: EnterState = {
  composing: false,
  composed: '',
  enterWhileComposing: false,
  spent: false,
  committed: null,
}

export function step(state: EnterState, event: FieldEvent): { state: EnterState; action: EnterAction } {
  switch (event.type) {
    case 'compositionstart':
      return pass({ ...idle, composing: true })

    case 'compositionupdate':
      return pass({ ...state, composing: true, composed: event.data })

    case 'compositionend': {
      const committed = event.data || state.composed
      const ended = { ...idle, committed }
      if (!state.enterWhileComposing) return pass(ended)
      const action = endsInHangul(committed) ? 'send-after-commit' : 'pass'
      return { state: { ...ended, spent: true }, action }
    }

    case 'keydown': {
      if (!isEnter(event)) return pass(event.keyCode === 229 ? state : { ...state, spent: false, committed: null })
      // Own tracking beside the event's flag: one macOS combination reports false while a syllable is open.
      if (state.composing || event.isComposing) {
        return pass(event.shift ? state : { ...state, composing: true, enterWhileComposing: true })
      }
      if (state.spent) return { state, action: 'swallow' }
      if (event.shift) return pass({ ...state, committed: null })
      if (event.repeat) return { state, action: 'swallow' }
      if (event.keyCode === 229) {
        const action = state.committed !== null && endsInHangul(state.committed) ? 'send' : 'swallow'
        return { state: { ...idle, spent: true }, action }
      }
      return { state: { ...idle, spent: true }, action: 'send' }
    }

    case 'keyup':
      return pass(isEnter(event) && !state.composing ? { ...state, spent: false, committed: null } : state)

    case 'beforeinput':
      return { state, action: state.spent && isLineBreak(event.inputType) ? 'swallow' : 'pass' }
  }
}

function pass(state: EnterState): { state: EnterState; action: EnterAction } {
  return { state, action: 'pass' }
}

/** Windows input methods report the key as `Process`; the physical code still tells. */
function isEnter(event: { key: string; code?: string }): boolean {
  return event.key === 'Enter' || event.code === 'Enter' || event.code === 'NumpadEnter'
}

function isLineBreak(inputType: string): boolean {
  return inputType === 'insertLineBreak' || inputType === 'insertParagraph'
}

/** Jamo, compatibility jamo and syllables. */
function endsInHangul(text: string): boolean {
  return /[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]$/.test(text)
}
