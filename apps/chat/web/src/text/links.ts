export type Piece =
  | { kind: 'text'; text: string }
  | { kind: 'link'; text: string; href: string }
  | { kind: 'mention'; text: string }

const TOKEN = /https?:\/\/[^\s<>"'`]+|(?<![\p{L}\p{N}_])@[\p{L}\p{N}_.-]{1,32}/giu

/** Cuts a message into text, links and mentions. Only http and https become links; nothing here is ever parsed as HTML. */
export function pieces(text: string): Piece[] {
  const result: Piece[] = []
  let end = 0
  for (const match of text.matchAll(TOKEN)) {
    let token = match[0]
    if (!token.startsWith('@')) token = withoutTail(token)
    if (match.index > end) result.push({ kind: 'text', text: text.slice(end, match.index) })
    if (token.startsWith('@')) result.push({ kind: 'mention', text: token })
    else {
      const href = hrefOf(token)
      result.push(href ? { kind: 'link', text: token, href } : { kind: 'text', text: token })
    }
    end = match.index + token.length
  }
  if (end < text.length) result.push({ kind: 'text', text: text.slice(end) })
  return result
}

/** Particles and copulas that Korean writes right after an address. */
const PARTICLE =
  /(?<=[\w/%=&#~-])(?:에서|에게|에는|에도|으로|로|에|을|를|은|는|이|가|와|과|도|의|만|랑|이랑|까지|부터|보다|처럼|입니다|이에요|예요|이요|요)$/u

/** Sentence punctuation after an address, a bracket that was opened before it, and a Korean particle are no part of it. */
function withoutTail(url: string): string {
  let tail = url.replace(/[.,;:!?…。、]+$/u, '').replace(PARTICLE, '')
  if (/[)\]}]$/.test(tail) && !/[([{]/.test(tail)) tail = tail.replace(/[)\]}]+$/, '')
  return tail
}

function hrefOf(token: string): string | null {
  try {
    const url = new URL(token)
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null
  } catch {
    return null
  }
}

/** Cuts `text` at ranges [start, end); overlapping and out-of-bounds ranges are repaired. */
export function marked(text: string, ranges: readonly (readonly [number, number])[]): { text: string; hit: boolean }[] {
  const result: { text: string; hit: boolean }[] = []
  let end = 0
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const start = Math.max(from, end)
    const stop = Math.min(to, text.length)
    if (stop <= start) continue
    if (start > end) result.push({ text: text.slice(end, start), hit: false })
    result.push({ text: text.slice(start, stop), hit: true })
    end = stop
  }
  if (end < text.length) result.push({ text: text.slice(end), hit: false })
  return result
}
