import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectRaw } from '../harness/resp-client.mjs'
import { startRole } from '../harness/role.mjs'
import { interleave } from '../harness/rounds.mjs'
import { startServer } from '../harness/servers.mjs'

export const title = 'Jobs: publish → handler → acknowledged'

const process_ = new URL('../jobs/peer-process.mjs', import.meta.url).pathname
const module = (name) => new URL(`../jobs/${name}.mjs`, import.meta.url).href

/** `weight`: this share of the jobs, so that a run takes a second or two whatever the peer. */
const PEERS = {
  yeoul: { label: 'yeoul worker', module: module('yeoul'), weight: 1 },
  tuned: { label: 'tuned loop (COUNT 500)', module: module('tuned'), weight: 1 },
  'tuned, defaults': {
    label: 'tuned loop, node-redis defaults',
    module: module('tuned'),
    timeout: 5000,
    weight: 0.3,
  },
  loop: { label: 'one-at-a-time loop', module: module('loop'), weight: 0.03 },
  'loop, timeout 0': { label: 'one-at-a-time loop, timeout 0', module: module('loop'), timeout: 0, weight: 0.06 },
  bullmq: { label: 'BullMQ', module: module('bullmq'), weight: 0.06 },
  bee: { label: 'bee-queue', module: module('bee-queue'), weight: 0.1 },
}

export async function run({ rounds, quick, log, profile, wanted }) {
  const size = quick ? 50_000 : 250_000
  const server = await startServer('redis')
  const raw = await connectRaw(server.port)
  const sections = []
  try {
    const context = { server, raw, size, profile, quick }
    const peers = (names, run, suffix = '') =>
      names.map((name) => ({ name, label: PEERS[name].label + suffix, run: () => run(PEERS[name], context) }))

    if (wanted('jobs-drain-100'))
      sections.push({
        id: 'jobs-drain-100',
        title: 'Draining waiting jobs on redis-server, concurrency 100',
        columns: DRAIN_COLUMNS,
        cost: ['consumer', 'server'],
        rows: await interleave(
          peers(['yeoul', 'tuned', 'bullmq', 'bee', 'loop', 'loop, timeout 0'], (peer, c) => drain(peer, c, 100)),
          { rounds, log },
        ),
        targets: [
          { label: 'jobs/s against BullMQ', row: 'yeoul', against: 'bullmq', key: 'rate', atLeast: 15 },
          { label: 'jobs/s against the one-at-a-time loop', row: 'yeoul', against: 'loop', key: 'rate', atLeast: 20 },
          { label: 'jobs/s against the tuned loop', row: 'yeoul', against: 'tuned', key: 'rate', atLeast: 0.95 },
          {
            label: 'redis memory per waiting job against BullMQ',
            row: 'yeoul',
            against: 'bullmq',
            key: 'bytes',
            atMost: 0.3,
          },
        ],
      })

    if (wanted('jobs-drain-1'))
      sections.push({
        id: 'jobs-drain-1',
        title: 'Draining waiting jobs on redis-server, concurrency 1, in order',
        columns: DRAIN_COLUMNS,
        cost: ['consumer', 'server'],
        rows: await interleave(
          peers(['yeoul', 'bullmq', 'bee', 'loop', 'loop, timeout 0'], (peer, c) => drain(peer, c, 1)),
          { rounds, log },
        ),
        targets: [
          { label: 'jobs/s against the one-at-a-time loop', row: 'yeoul', against: 'loop', key: 'rate', atLeast: 10 },
          { label: '… with timeout 0', row: 'yeoul', against: 'loop, timeout 0', key: 'rate', atLeast: 10 },
        ],
      })

    if (wanted('jobs-flow'))
      sections.push({
        id: 'jobs-flow',
        title: 'Producer and consumer at once on redis-server, concurrency 100, three processes',
        columns: [
          { key: 'rate', label: 'jobs/s' },
          { key: 'cpu', label: 'CPU µs/job' },
          { key: 'producer', label: 'producer µs' },
          { key: 'consumer', label: 'consumer µs' },
          { key: 'server', label: 'server µs' },
        ],
        rows: await interleave(peers(['yeoul', 'tuned', 'bullmq', 'bee', 'loop'], flow), { rounds, log }),
        targets: [
          { label: 'all CPU per job against the tuned loop', row: 'yeoul', against: 'tuned', key: 'cpu', atMost: 1 },
        ],
      })

    if (wanted('jobs-latency'))
      sections.push({
        id: 'jobs-latency',
        title: 'Latency publish → handler at 1,000 jobs/s on redis-server (ms)',
        columns: [
          { key: 'p50', label: 'p50' },
          { key: 'p99', label: 'p99' },
          { key: 'max', label: 'max' },
          { key: 'producer', label: 'producer µs/job' },
          { key: 'consumer', label: 'consumer µs/job' },
          { key: 'server', label: 'server µs/job' },
        ],
        rows: await interleave(peers(['yeoul', 'tuned', 'bullmq', 'bee', 'loop'], latency), { rounds, log }),
        targets: [
          { label: 'p50 against the tuned loop', row: 'yeoul', against: 'tuned', key: 'p50', atMost: 1 },
          { label: 'p99 against the tuned loop', row: 'yeoul', against: 'tuned', key: 'p99', atMost: 0.5 },
        ],
      })

    if (wanted('jobs-embedded'))
      sections.push({
        id: 'jobs-embedded',
        title: 'Publish → handler → acknowledged in one process, 1,000 in flight',
        columns: [
          { key: 'rate', label: 'jobs/s' },
          { key: 'cpu', label: 'CPU µs/job' },
          { key: 'process', label: 'process µs' },
          { key: 'server', label: 'server µs' },
        ],
        rows: await interleave(
          [
            {
              name: 'memory',
              label: 'yeoul memory:',
              run: () => together(PEERS.yeoul, context, { target: 'memory:' }),
            },
            {
              name: 'file',
              label: 'yeoul file: always',
              run: () => inDirectory((dir) => together(PEERS.yeoul, context, { target: `file:${dir}` })),
            },
            {
              name: 'bare',
              label: 'bare engine calls, in memory',
              run: () => together({ module: module('bare-engine'), weight: 1 }, context, {}),
            },
            { name: 'yeoul', label: 'yeoul on redis-server', run: () => together(PEERS.yeoul, context) },
            { name: 'tuned', label: 'tuned loop, node-redis timeout 0', run: () => together(PEERS.tuned, context) },
            {
              name: 'tuned, defaults',
              label: 'tuned loop, node-redis defaults',
              run: () => together(PEERS['tuned, defaults'], context),
            },
            {
              name: 'loop',
              label: 'one-at-a-time loop, node-redis defaults',
              run: () => together(PEERS.loop, context),
            },
          ],
          { rounds, log },
        ),
        targets: [
          ['memory', 'memory:', 20],
          ['file', 'file: always', 10],
        ].flatMap(([row, address, atLeast]) =>
          [
            ['loop', 'the one-at-a-time loop on node-redis + Redis'],
            ['tuned, defaults', 'the tuned loop on node-redis + Redis'],
          ].map(([against, name]) => ({
            label: `${address} CPU per job, times less than ${name}`,
            row,
            against,
            key: 'cpu',
            inverse: true,
            atLeast,
          })),
        ),
      })
    addOverhead(sections.find(({ id }) => id === 'jobs-embedded'))
  } finally {
    raw.close()
    await server.stop()
  }
  return sections
}

const DRAIN_COLUMNS = [
  { key: 'rate', label: 'jobs/s' },
  { key: 'consumer', label: 'consumer µs/job' },
  { key: 'server', label: 'server µs/job' },
  { key: 'consumerCores', label: 'consumer cores' },
  { key: 'bytes', label: 'redis bytes/job' },
]

/** Jobs wait, then one consumer takes them. */
async function drain(peer, { server, raw, size, profile }, concurrency) {
  const scale = concurrency === 1 && peer.weight === 1 ? 0.6 : 1
  const count = Math.round(size * peer.weight * scale)
  const warmUp = Math.round(count / 4)
  const producer = await opened(peer, server)
  const before = await emptied(raw)
  await producer.ask('fill', { count: warmUp + count })
  const bytes = ((await usedMemory(raw)) - before) / (warmUp + count)
  await producer.ask('close')
  await producer.end()
  const consumer = await opened(peer, server, profile)
  await consumer.ask('consume', {
    concurrency,
    warmUp,
    count,
    watch: { server: server.pid },
    ordered: concurrency === 1,
  })
  const result = await consumer.ask('finished')
  await finish(consumer)
  return {
    rate: count / result.seconds,
    consumer: result.consumer,
    server: result.server,
    consumerCores: (result.consumer * count) / 1e6 / result.seconds,
    bytes,
  }
}

async function flow(peer, { server, raw, size, profile }) {
  const count = Math.round(size * peer.weight)
  const warmUp = Math.round(count / 4)
  await emptied(raw)
  const producer = await opened(peer, server)
  const consumer = await opened(peer, server, profile)
  await consumer.ask('consume', {
    concurrency: 100,
    warmUp,
    count,
    watch: { server: server.pid },
  })
  const filling = producer.ask('fill', { count: warmUp + count })
  const result = await consumer.ask('finished')
  // A producer may be done before the consumer is warm: its cost is that of all it published.
  const producing = (await filling).cpu / (warmUp + count)
  await finish(consumer, producer)
  const { consumer: consuming, server: serving } = result
  return {
    rate: count / result.seconds,
    cpu: producing + consuming + serving,
    producer: producing,
    consumer: consuming,
    server: serving,
  }
}

/** The first two seconds, when everything is cold, do not count. */
async function latency(peer, { server, raw, profile, quick }) {
  const perSecond = 1000
  const seconds = quick ? 5 : 10
  await emptied(raw)
  const producer = await opened(peer, server)
  const consumer = await opened(peer, server, profile)
  const warmUp = 2 * perSecond
  const count = (seconds - 2) * perSecond
  const watch = { server: server.pid, producer: producer.pid }
  await consumer.ask('consume', { concurrency: 100, warmUp, count, watch, latency: true })
  const pacing = producer.ask('pace', { perSecond, seconds })
  const result = await consumer.ask('finished')
  await pacing
  await finish(consumer, producer)
  return result
}

async function together(peer, { server, raw, size, profile }, options) {
  const count = Math.round(size * peer.weight)
  const warmUp = Math.round(count / 4)
  await emptied(raw)
  const process = await opened({ ...peer, ...options }, server, profile)
  const remote = options === undefined
  await process.ask('consume', { concurrency: 100, warmUp, count, watch: remote ? { server: server.pid } : {} })
  const publishing = process.ask('publishEach', { count: warmUp + count, inFlight: 1000 })
  const result = await process.ask('finished')
  await publishing
  await finish(process)
  const serving = result.server ?? 0
  return { rate: count / result.seconds, cpu: result.consumer + serving, process: result.consumer, server: serving }
}

/** What the runtime adds to bare engine calls, as a row of its own. */
function addOverhead(section) {
  if (section === undefined) return
  const value = (name) => section.rows.find((row) => row.name === name)?.values.cpu
  const added = value('memory') - value('bare')
  section.rows.push({
    name: 'overhead',
    label: 'runtime over bare engine calls',
    values: { cpu: Number(added.toPrecision(3)) },
    all: {},
  })
  section.targets.push({
    label: 'CPU µs the runtime adds to bare engine calls',
    row: 'overhead',
    key: 'cpu',
    atMost: 2,
    unit: ' µs',
  })
}

async function opened(peer, server, profile) {
  const nodeArguments = profile && peer.module === PEERS.yeoul.module ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : []
  const role = await startRole(process_, { nodeArguments })
  const { weight, label, ...options } = peer
  const target = `redis://127.0.0.1:${server.port}`
  await role.ask('open', { target, port: server.port, ...options })
  return role
}

async function finish(consumer, producer) {
  await consumer.ask('settled')
  await consumer.ask('close')
  await consumer.end()
  if (producer) {
    await producer.ask('close')
    await producer.end()
  }
}

async function emptied(raw) {
  // Function libraries stay: FLUSHALL leaves them.
  await raw.call('FLUSHALL', 'SYNC')
  return usedMemory(raw)
}

async function usedMemory(raw) {
  return Number(/used_memory:(\d+)/.exec(await raw.call('INFO', 'memory'))[1])
}

async function inDirectory(run) {
  const directory = mkdtempSync(join(tmpdir(), 'yeoul-bench-'))
  try {
    return await run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
