/**
 * Fills a sentence. The part of ICU MessageFormat the two languages need: `{name}`, and
 * `{n, plural, one {# message} other {# messages}}` with exact cases `=0 {…}`. `#` is the number in the language's digits and
 * grouping. Braces nest one level.
 */
export function fill(language: string, template: string, values: Record<string, string | number> = {}): string {
  return template.replace(
    /\{(\w+)(?:,\s*plural,\s*((?:[^{}]|\{[^{}]*\})*))?\}/g,
    (whole, name: string, cases: string | undefined) => {
      const value = values[name]
      if (value === undefined) return whole
      if (cases === undefined) return typeof value === 'number' ? number(language, value) : value
      const count = Number(value)
      const chosen = choose(language, cases, count)
      return chosen.replaceAll('#', number(language, count))
    },
  )
}

function choose(language: string, cases: string, count: number): string {
  const byName = new Map<string, string>()
  for (const match of cases.matchAll(/(=\d+|\w+)\s*\{([^{}]*)\}/g)) byName.set(match[1]!, match[2]!)
  return (
    byName.get(`=${count}`) ?? byName.get(new Intl.PluralRules(language).select(count)) ?? byName.get('other') ?? ''
  )
}

function number(language: string, value: number): string {
  return new Intl.NumberFormat(language).format(value)
}
