/** Widths as a terminal shows them: Hangul, kana, Han and emoji take two columns, combining marks none. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) {
    if (/\p{Mn}|\p{Me}|\p{Cf}/u.test(character)) continue
    width += /[ᄀ-ᅟ⺀-〾ぁ-㏿㐀-䶿一-鿿ꀀ-꓏가-힣豈-﫿︰-﹯！-｠￠-￦]|\p{Emoji_Presentation}/u.test(character) ? 2 : 1
  }
  return width
}

/**
 * Text of others made safe for a terminal: a payload must not move the cursor, set colours or ring the bell.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not reach the terminal
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0)
    return code === 10 ? '\\n' : code === 13 ? '\\r' : code === 9 ? '\\t' : `\\x${code.toString(16).padStart(2, '0')}`
  })
}

/** A field's bytes as text; what is no UTF-8 is shown as base64 and says so. */
export function valueText(value: Buffer): string {
  const decoded = value.toString()
  return Buffer.from(decoded).equals(value) ? decoded : `base64:${value.toString('base64')}`
}

export interface Column<Row> {
  title: string
  value: (row: Row) => string
  align?: 'left' | 'right'
}

/** Rows as a table; the last column is cut to the terminal's width, so a long payload does not break the lines. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], width = terminalWidth()): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ value }) => printable(value(row)))),
  ]
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => displayWidth(line[i]))))
  const before = widths.slice(0, -1).reduce((sum, each) => sum + each + 2, 0)
  return cells
    .map((line) =>
      line
        .map((cell, i) => {
          if (i === columns.length - 1 && columns[i].align !== 'right') return cut(cell, width - before)
          const padding = ' '.repeat(Math.max(0, widths[i] - displayWidth(cell)))
          return columns[i].align === 'right' ? padding + cell : cell + padding
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cut(text: string, width: number): string {
  if (width < 8 || displayWidth(text) <= width) return text
  let kept = ''
  let used = 0
  for (const character of text) {
    used += displayWidth(character)
    if (used > width - 1) break
    kept += character
  }
  return `${kept}…`
}

/** Not a terminal: nothing is cut, whoever reads it wants it whole. */
function terminalWidth(): number {
  return process.stdout.isTTY ? (process.stdout.columns ?? 80) : Number.POSITIVE_INFINITY
}

/** `1.5 s`, `12 min`, `3 h`, `4 d`; `?` for what is not known. */
export function duration(seconds: number | null): string {
  if (seconds === null) return '?'
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

export function count(value: number | null): string {
  return value === null ? '?' : value.toLocaleString('en-US')
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value))
}

/** A line on stderr that counts up; nothing when stderr is no terminal, so logs stay readable. */
export class ProgressLine {
  #last = 0

  show(done: number, total: number | null, what: string): void {
    if (!process.stderr.isTTY) return
    const now = Date.now()
    if (now - this.#last < 100 && done !== total) return
    this.#last = now
    const share = total ? Math.min(1, done / total) : 0
    const bar = total ? `${'█'.repeat(Math.round(share * 24)).padEnd(24, '░')} ${Math.round(share * 100)} %  ` : ''
    process.stderr.write(`\r\x1b[2K${bar}${count(done)}${total ? ` of ${count(total)}` : ''} ${what}`)
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
  }
}
