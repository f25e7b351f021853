const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u
const LATIN = /[\p{Script=Latin}\p{N}_]/u

/**
 * Which of these people a text addresses as `@name`, each once, in order. A Korean name may have a particle or a title attached
 * (`@민아야`, `@mina님`), so a name is looked for as the longest one that the text goes on with; a Latin name or a number
 * ends where no Latin letter or digit follows (`@minami` is not mina). An `@` inside a word is none.
 */
export function mentioned(text: string, people: readonly string[]): string[] {
  const found = new Set<string>()
  const lower = text.toLowerCase()
  for (let at = lower.indexOf('@'); at >= 0; at = lower.indexOf('@', at + 1)) {
    if (at > 0 && LETTER_OR_DIGIT.test(characterBefore(lower, at))) continue
    let longest = ''
    for (const name of people) {
      if (
        name.length > longest.length &&
        lower.startsWith(name.toLowerCase(), at + 1) &&
        endsAt(lower, at + 1 + name.length)
      )
        longest = name
    }
    if (longest !== '') found.add(longest)
  }
  return [...found]
}

function endsAt(text: string, end: number): boolean {
  const next = text.codePointAt(end)
  return next === undefined || !LATIN.test(characterBefore(text, end)) || !LATIN.test(String.fromCodePoint(next))
}

function characterBefore(text: string, index: number): string {
  const unit = text.charCodeAt(index - 1)
  return unit >= 0xdc00 && unit <= 0xdfff ? text.slice(index - 2, index) : text[index - 1]
}
