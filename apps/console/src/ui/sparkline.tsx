const WIDTH = 120
const HEIGHT = 32

/** The course of one figure, without axes: it accompanies a number and is not read by itself. Unknown points part the line. */
export function Sparkline({ values, label }: { values: readonly (number | null)[]; label: string }) {
  const shown = values.slice(-90)
  const top = 1.25 * Math.max(1e-9, ...shown.map((value) => value ?? 0))
  const x = (index: number) => (shown.length < 2 ? WIDTH : (index / (shown.length - 1)) * WIDTH)
  const y = (value: number) => HEIGHT - 3 - (value / top) * (HEIGHT - 6)
  let line = ''
  let open = false
  shown.forEach((value, index) => {
    if (value === null) {
      open = false
      return
    }
    line += `${open ? 'L' : 'M'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`
    open = true
  })
  const whole = shown.length > 1 && !shown.includes(null)
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <title>{label}</title>
      {whole && <path class="area" d={`${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} />}
      <path class="line" d={line} />
    </svg>
  )
}
