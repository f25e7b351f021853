export type Piece = { kind: 'text'; text: string } | { kind: 'link'; text: string; href: string } | { kind: 'mention'; text: string }

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

/** Sentence punctuation after an address, a bracket that was opened before it, and Korean particles are no part of it. */
function withoutTail(url: string): string {
  let tail = url.replace(/[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]{1,3}$/u, '').replace(/[.,;:!?…。、]+$/u, '')
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
