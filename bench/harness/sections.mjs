/**
 * What a workload answers is a list of sections:
 *
 *     { id, title, note?, columns: [{ key, label, unit? }], rows: [{ name, label, values, all }], targets: Target[] }
 *
 * A target compares two rows or holds one row against a number:
 *
 *     { label, row, key, against?, inverse?, unit?, atLeast? | atMost? }
 *
 * With `against` the figure is row.key / against.key, so a rate wants `atLeast` and a cost `atMost`; `inverse` turns it
 * over. `cost` names the columns of a section that are CPU time per operation: a rate is then also judged by it, which tells
 * more on a busy machine.
 */
export function judged(section) {
  return (section.targets ?? []).flatMap((target) => {
    const { label, row, against, key, atLeast, atMost } = target
    const ours = section.rows.find(({ name }) => name === row)?.values[key]
    const theirs = against === undefined ? 1 : section.rows.find(({ name }) => name === against)?.values[key]
    if (!Number.isFinite(ours) || !Number.isFinite(theirs) || theirs === 0) return []
    const figure = target.inverse ? theirs / ours : ours / theirs
    const met = atLeast === undefined ? figure <= atMost : figure >= atLeast
    const cost = (name) =>
      section.cost?.reduce((sum, column) => sum + section.rows.find((row) => row.name === name).values[column], 0)
    const byCpu = key === 'rate' && against !== undefined ? cost(against) / cost(row) : undefined
    const unit = against === undefined ? (target.unit ?? '') : '×'
    return [
      {
        label,
        figure,
        wanted: `${atLeast === undefined ? '≤' : '≥'} ${figures(atLeast ?? atMost)}${unit}`,
        unit,
        met,
        byCpu,
      },
    ]
  })
}

export function figures(value) {
  if (value === undefined || value === null || !Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size >= 1e6) return `${trimmed(value / 1e6, 2)}M`
  if (size >= 1e4) return `${trimmed(value / 1e3, 1)}k`
  if (size >= 1000) return `${trimmed(value / 1e3, 2)}k`
  if (size >= 100) return value.toFixed(0)
  if (size >= 10) return trimmed(value, 1)
  return trimmed(value, size >= 1 ? 2 : 3)
}

function trimmed(value, digits) {
  return String(Number(value.toFixed(digits)))
}

/** A section as Markdown; `spread` adds the lowest and highest of the first column's runs. */
export function markdown(section) {
  const { columns, rows } = section
  const lines = [
    `| ${['', ...columns.map(({ label }) => label), 'min … max'].join(' | ')} |`,
    `|---|${columns.map(() => '--:|').join('')}---|`,
  ]
  for (const { label, values, all } of rows) {
    const first = all[columns[0].key] ?? []
    const spread = first.length > 1 ? `${figures(Math.min(...first))} … ${figures(Math.max(...first))}` : ''
    lines.push(`| ${[label, ...columns.map(({ key }) => figures(values[key])), spread].join(' | ')} |`)
  }
  return lines.join('\n')
}

/** The same for a terminal: columns aligned. */
export function plain(section) {
  const cells = [
    ['', ...section.columns.map(({ label }) => label), 'all runs'],
    ...section.rows.map(({ label, values, all }) => [
      label,
      ...section.columns.map(({ key }) => figures(values[key])),
      (all[section.columns[0].key] ?? []).map(figures).join(' '),
    ]),
  ]
  const widths = cells[0].map((_, at) => Math.max(...cells.map((line) => line[at].length)))
  const text = cells.map((line) =>
    line
      .map((cell, at) => (at === 0 || at === line.length - 1 ? cell.padEnd(widths[at]) : cell.padStart(widths[at])))
      .join('  ')
      .trimEnd(),
  )
  const verdicts = judged(section).map(
    ({ label, figure, unit, wanted, met, byCpu }) =>
      `  ${met ? '✓' : '✗'} ${label}: ${figures(figure)}${unit} (wanted ${wanted}${Number.isFinite(byCpu) ? `; ${figures(byCpu)}× by CPU` : ''})`,
  )
  return [section.title, ...text, ...verdicts].join('\n')
}
