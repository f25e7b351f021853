/**
 * Redis' glob patterns on latin1 strings: `*`, `?`, `[abc]`, `[^a-z]`, `\x` for a literal x.
 *
 * Matching is done in one pass with a single retry point: only the latest `*` is ever extended, so a pattern such as
 * `a*a*a*a*b` costs |pattern| × |text| steps and never an exponential search.
 */
export function glob(pattern: string, text: string, ignoreCase = false): boolean {
  if (ignoreCase) {
    pattern = pattern.toLowerCase()
    text = text.toLowerCase()
  }
  let p = 0
  let t = 0
  let star = -1
  let resume = 0
  for (;;) {
    if (p < pattern.length && pattern[p] === '*') {
      while (pattern[p] === '*') p++
      if (p === pattern.length) return true
      star = p
      resume = t
      continue
    }
    if (t === text.length) return p === pattern.length
    const next = p < pattern.length ? one(pattern, p, text.charCodeAt(t)) : -1
    if (next >= 0) {
      p = next
      t++
      continue
    }
    if (star < 0) return false
    p = star
    t = ++resume
  }
}

/** Does one character match the element at `p`? The offset behind that element, or -1. */
function one(pattern: string, p: number, code: number): number {
  const c = pattern[p]
  if (c === '?') return p + 1
  if (c === '[') return oneOf(pattern, p + 1, code)
  if (c === '\\' && p + 1 < pattern.length) p++
  return pattern.charCodeAt(p) === code ? p + 1 : -1
}

/** `p` stands behind `[`. An unclosed class ends with the pattern. */
function oneOf(pattern: string, p: number, code: number): number {
  const not = pattern[p] === '^'
  if (not) p++
  let match = false
  for (; p < pattern.length && pattern[p] !== ']'; p++) {
    if (pattern[p] === '\\' && p + 1 < pattern.length) {
      p++
      if (pattern.charCodeAt(p) === code) match = true
    } else if (pattern[p + 1] === '-' && p + 2 < pattern.length) {
      const a = pattern.charCodeAt(p)
      const b = pattern.charCodeAt(p + 2)
      if (code >= Math.min(a, b) && code <= Math.max(a, b)) match = true
      p += 2
    } else if (pattern.charCodeAt(p) === code) match = true
  }
  return match !== not ? Math.min(p + 1, pattern.length) : -1
}
