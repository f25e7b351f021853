import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { groupKey, type Sample } from '../history.js'
import { usePage } from './context.js'

const HEIGHT = 150

/** Lag and pending of one group since the page was opened. Where the lag was not known the line is broken. */
export function GroupChart({ topic, group, samples }: { topic: string; group: string; samples: readonly Sample[] }) {
  const { language, t } = usePage()
  const frame = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | null>(null)
  const key = groupKey(topic, group)

  useEffect(() => {
    const element = frame.current!
    const colour = (name: string) => getComputedStyle(element).getPropertyValue(name).trim()
    const numbers = new Intl.NumberFormat(language, { notation: 'compact' })
    const times = new Intl.DateTimeFormat(language, { hour: 'numeric', minute: '2-digit', second: '2-digit' })
    const axis = {
      font: `12px ${getComputedStyle(element).fontFamily}`,
      stroke: () => colour('--chart-ink'),
      grid: { stroke: () => colour('--chart-line'), width: 1 },
      ticks: { show: false },
    }
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: true, live: true },
        cursor: { y: false, points: { size: 7 } },
        scales: { y: { range: (_, __, top) => [0, Math.max(4, top * 1.1)] } },
        axes: [
          { ...axis, space: 110, size: 30, values: (_, splits) => splits.map((at) => times.format(at * 1000)) },
          { ...axis, size: 52, values: (_, splits) => splits.map((value) => numbers.format(value)) },
        ],
        series: [
          { label: t('entry.at'), value: (_, at) => (at == null ? '–' : times.format(at * 1000)) },
          {
            label: t('groups.lag'),
            stroke: () => colour('--chart-one'),
            width: 2,
            points: { show: false },
            spanGaps: false,
          },
          {
            label: t('groups.pending'),
            stroke: () => colour('--chart-two'),
            width: 2,
            dash: [6, 4],
            points: { show: false },
          },
        ],
      },
      [[], [], []],
      element,
    )
    chart.current = made
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }))
    observer.observe(element)
    const repaint = () => made.redraw()
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    const themes = new MutationObserver(repaint)
    themes.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    scheme.addEventListener('change', repaint)
    return () => {
      observer.disconnect()
      themes.disconnect()
      scheme.removeEventListener('change', repaint)
      made.destroy()
      chart.current = null
    }
  }, [language, t])

  useEffect(() => {
    const shown = samples.filter((sample) => sample.groups.has(key))
    // One point has no course, and the axis would invent a span around it.
    if (shown.length < 2) return
    chart.current?.setData([
      shown.map((sample) => sample.at / 1000),
      shown.map((sample) => sample.groups.get(key)!.lag),
      shown.map((sample) => sample.groups.get(key)!.pending),
    ])
  }, [samples, key, language, t])

  return <div class="chart" ref={frame} role="img" aria-label={t('group.chart')} />
}
