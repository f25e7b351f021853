import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { BOUNDS } from './bounds.mjs'
import { barChart } from './chart.mjs'
import { figures, judged, markdown } from './harness/sections.mjs'

const root = join(import.meta.dirname, '..')
const WORKLOADS = [
  { name: 'jobs', heading: 'Jobs: publish → handler → acknowledged' },
  { name: 'publish', heading: 'Publishing' },
  { name: 'server', heading: 'The RESP server' },
  { name: 'engine', heading: 'The engine in process' },
]

/** Figures drawn as a chart: the column of a section. */
const CHARTS = {
  'jobs-drain-100': { key: 'rate', unit: 'jobs per second, higher is better' },
  'jobs-drain-1': { key: 'rate', unit: 'jobs per second, higher is better' },
  'jobs-latency': { key: 'p99', unit: 'p99 in ms, lower is better' },
  'jobs-embedded': { key: 'cpu', unit: 'CPU µs per job, process and server together, lower is better' },
  'publish-1000': { key: 'client', unit: 'CPU µs per message in the client, lower is better' },
  'server-xadd-off-64': { key: 'rate', unit: 'requests per second, higher is better' },
  'server-xadd-always-16': { key: 'rate', unit: 'requests per second, higher is better' },
  'server-read-ack-off': { key: 'rate', unit: 'entries per second, higher is better' },
  'server-memory': { key: 'waiting', unit: 'bytes per waiting entry, lower is better' },
  'engine-calls': { key: 'rate', unit: 'entries per second, higher is better' },
}

/** Writes docs/performance.md and its charts from bench/results; answers the files written. */
export function writeReport() {
  const written = []
  const results = WORKLOADS.map((workload) => ({ ...workload, result: read(workload.name) })).filter(
    ({ result }) => result !== undefined,
  )
  const folder = join(root, 'docs', 'performance')
  mkdirSync(folder, { recursive: true })
  const parts = [introduction(results), targets(results)]
  for (const { heading, result } of results) {
    parts.push(`## ${heading}`, taken(result))
    for (const section of result.sections) {
      parts.push(`### ${section.title}`)
      const chart = CHARTS[section.id]
      if (chart) {
        const file = join(folder, `${section.id}.svg`)
        writeFileSync(file, draw(section, chart))
        written.push(relative(root, file))
        parts.push(`![${section.title}](performance/${section.id}.svg)`)
      }
      parts.push(markdown(section))
      const bound = BOUNDS[section.id]
      if (bound) parts.push(bound)
    }
  }
  const file = join(root, 'docs', 'performance.md')
  writeFileSync(file, `${parts.join('\n\n')}\n`)
  return [...written, relative(root, file)]
}

function read(name) {
  const file = join(import.meta.dirname, 'results', `${name}.json`)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

function draw(section, { key, unit }) {
  const rows = section.rows
    .filter(({ name, values }) => Number.isFinite(values[key]) && name !== 'overhead')
    .map(({ label, values }) => ({ label, value: values[key] }))
  return barChart({ title: section.title, unit, rows, ours: (label) => label.startsWith('yeoul') || !PEER.test(label) })
}

const PEER = /redis|loop|BullMQ|bee-queue/i

function introduction(results) {
  const { machine } = results[0].result
  const packages = Object.entries(machine.packages)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')
  return `# Performance

Every figure here was taken beside its peers, in one run, by \`npm run bench -- NAME\`; the raw results are in
[bench/results](../bench/results), and this page is written from them by \`npm run bench -- report\`.

**Method.** Each case runs once per round and rounds repeat (A B C, B C A, C A B …), so a busy moment of the machine meets all
of them alike; a figure is the median of its rounds, with the lowest and highest beside it. Producer, consumer and server
are processes of their own; their CPU time is read from the kernel (nanoseconds per thread) or \`process.cpuUsage()\`,
between two marks after a warm-up. **CPU per operation is the figure to trust**: rates also tell how much of the machine a
process happened to get. Payloads are 200 bytes of JSON. Handlers do nothing. Every run checks that all work was done:
each job acknowledged, in order at concurrency 1, each entry counted.

**Peers.** redis-server and redis-benchmark ${machine.redis}; ${packages}. BullMQ and bee-queue remove finished jobs and send no
events (their cheapest settings). The *one-at-a-time loop* reads one entry, handles it, acknowledges it, on node-redis as it
comes, or with \`timeout: 0\`. The *tuned loop* reads 500, runs their handlers in parallel and sends one XACK with the next
read; it has no retry, no deadline, no take-over. yeoul runs with retries, a deadline per attempt and metrics on. Other queues
over streams (glide-mq, ChasquiMQ) could not be had from the registry here and are not in the tables.

**Machine.** ${machine.cores} × ${machine.processor}, ${machine.memoryGB} GB, ${machine.system}, Node ${machine.node}. Client and server share its cores.`
}

function taken({ at, rounds, quick, machine }) {
  const [before] = machine.loadAtStart
  const [after] = machine.loadAtEnd
  const busy = Math.max(before, after) > machine.cores * 1.5 ? ' **The machine was busy with other work.**' : ''
  return `Taken ${at.slice(0, 10)} at commit ${machine.commit}, ${rounds} rounds${quick ? ', short runs' : ''}; load average ${before} before, ${after} after.${busy}`
}

function targets(results) {
  const lines = ['| measure | measured | wanted | | by CPU per operation |', '|---|--:|--:|---|--:|']
  for (const { result } of results) {
    for (const section of result.sections) {
      for (const { label, figure, unit, wanted, met, byCpu } of judged(section)) {
        lines.push(
          `| ${label} | ${figures(figure)}${unit} | ${wanted} | ${met ? 'met' : '**missed**'} | ${Number.isFinite(byCpu) ? `${figures(byCpu)}×` : ''} |`,
        )
      }
    }
  }
  return `## Targets\n\n${lines.join('\n')}`
}
