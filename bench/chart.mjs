import { figures } from './harness/sections.mjs'

/**
 * A bar chart as SVG: one bar per row of a section, longest scaled to the width. Colours follow the reader's scheme; text
 * is real text. The first bar of `ours` rows is accented.
 */
export function barChart({ title, unit, rows, ours, note }) {
  const left = 250
  const width = 760
  const barHeight = 22
  const gap = 12
  const top = 56
  const longest = Math.max(...rows.map(({ value }) => value))
  const room = width - left - 90
  const bars = rows.map(({ label, value }, i) => {
    const y = top + i * (barHeight + gap)
    const length = Math.max(2, (value / longest) * room)
    const kind = ours(label) ? 'ours' : 'peer'
    return [
      `<text class="label" x="${left - 12}" y="${y + 16}" text-anchor="end">${escaped(label)}</text>`,
      `<rect class="${kind}" x="${left}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="3"/>`,
      `<text class="value" x="${(left + length + 8).toFixed(1)}" y="${y + 16}">${figures(value)}</text>`,
    ].join('\n')
  })
  const height = top + rows.length * (barHeight + gap) + (note ? 26 : 8)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(`${title}: ${rows.map(({ label, value }) => `${label} ${figures(value)}`).join(', ')}`)}">
<style>
  svg { background: #fff; font-family: system-ui, sans-serif; font-size: 14px }
  .title { font-size: 16px; font-weight: 600; fill: #1b2733 }
  .unit, .label, .note { fill: #51606e }
  .unit, .note { font-size: 12px }
  .value { fill: #1b2733; font-variant-numeric: tabular-nums }
  .ours { fill: #0b7285 }
  .peer { fill: #b6c2cc }
  @media (prefers-color-scheme: dark) {
    svg { background: #12181f }
    .title, .value { fill: #e8eef3 }
    .unit, .label, .note { fill: #a3b1bd }
    .ours { fill: #3bc9db }
    .peer { fill: #4a5763 }
  }
</style>
<text class="title" x="16" y="24">${escaped(title)}</text>
<text class="unit" x="16" y="42">${escaped(unit)}</text>
${bars.join('\n')}
${note ? `<text class="note" x="16" y="${height - 10}">${escaped(note)}</text>\n` : ''}</svg>
`
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
