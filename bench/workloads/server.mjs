import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cpuOf, quantile, residentOf } from '../harness/measure.mjs'
import { connectRaw, encode } from '../harness/resp-client.mjs'
import { startRole } from '../harness/role.mjs'
import { interleave } from '../harness/rounds.mjs'
import { startServer } from '../harness/servers.mjs'
import { job } from '../jobs/payload.mjs'

export const title = 'The RESP server against redis-server'

const readAcknowledge = new URL('../server/read-acknowledge-process.mjs', import.meta.url).pathname
const connections = new URL('../server/connections-process.mjs', import.meta.url).pathname
const execute = promisify(execFile)

const PAYLOAD = JSON.stringify(job(0))
const POLICY = { off: 'nothing on disk', everysec: 'appendfsync everysec', always: 'appendfsync always' }
const KINDS = [
  { kind: 'redis', label: 'redis-server' },
  { kind: 'yeoul', label: 'yeoul serve' },
]

export async function run(options) {
  const { wanted } = options
  const sections = []
  for (const policy of Object.keys(POLICY)) {
    const ids = [1, 16, 64].map((pipeline) => `server-xadd-${policy}-${pipeline}`)
    if (!wanted(`server-xadd-${policy}`)) continue
    sections.push(...(await withServers(policy, options, (servers) => throughput(servers, policy, ids, options))))
  }
  if (wanted('server-ping')) sections.push(...(await withServers('off', options, (servers) => ping(servers, options))))
  if (wanted('server-read-ack')) {
    for (const policy of ['off', 'everysec']) {
      sections.push(await withServers(policy, options, (servers) => readAndAcknowledge(servers, policy, options)))
    }
  }
  if (wanted('server-range')) sections.push(await withServers('off', options, (servers) => ranges(servers, options)))
  if (wanted('server-pending'))
    sections.push(...(await withServers('off', options, (servers) => overMillion(servers, options))))
  if (wanted('server-memory')) sections.push(await memory(options))
  if (wanted('server-connections')) sections.push(await idleConnections(options))
  if (wanted('server-load')) sections.push(await load(options))
  return sections
}

async function withServers(policy, { profile }, run) {
  const servers = []
  try {
    for (const { kind, label } of KINDS) {
      const nodeArguments = profile && kind === 'yeoul' ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : []
      const server = await startServer(kind, { policy, nodeArguments })
      const raw = await connectRaw(server.port)
      // redis-server was told so on its command line.
      if (kind === 'yeoul') await raw.call('CONFIG', 'SET', 'auto-aof-rewrite-percentage', '0')
      servers.push({ ...server, label, raw })
    }
    return await run(servers)
  } finally {
    for (const { raw, stop } of servers) {
      raw.close()
      await stop()
    }
  }
}

/** redis-benchmark -c 50 with one command, and what it cost the server. */
async function benchmark({ port, pid }, pipeline, count, words) {
  const before = cpuOf(pid)
  const args = ['-p', port, '-c', 50, '-P', pipeline, '-n', count, '--csv', ...words].map(String)
  const startedAt = performance.now()
  const { stdout } = await execute('redis-benchmark', args)
  const seconds = (performance.now() - startedAt) / 1000
  // The first column is the command itself, and payloads hold commas: counted from the end.
  const [rate, , , p50, , p99] = stdout.trim().replaceAll('"', '').split(',').slice(-7).map(Number)
  const cpu = (cpuOf(pid) - before) / count
  return {
    rate,
    server: cpu,
    serverCores: (cpu * count) / 1e6 / seconds,
    p50,
    p99,
  }
}

const RATE_COLUMNS = [
  { key: 'rate', label: 'requests/s' },
  { key: 'server', label: 'server CPU µs/request' },
  { key: 'serverCores', label: 'server cores' },
  { key: 'p50', label: 'p50 ms' },
  { key: 'p99', label: 'p99 ms' },
]

const XADD_TARGETS = { off: { 1: 0.9, 16: 1.1, 64: 1.6 }, everysec: { 16: 1.3 }, always: { 16: 1.5 } }

async function throughput(servers, policy, ids, { rounds, quick, log }) {
  const sections = []
  for (const [at, pipeline] of [1, 16, 64].entries()) {
    const count = { 1: 150_000, 16: 800_000, 64: 1_500_000 }[pipeline] / (quick ? 5 : 1)
    const cases = servers.map((server) => ({
      name: server.kind,
      label: server.label,
      async run() {
        await server.raw.call('DEL', 's')
        return benchmark(server, pipeline, count, ['XADD', 's', '*', 'data', PAYLOAD])
      },
    }))
    // A server that was idle runs its first requests cold, JIT included.
    for (const { run } of cases) await run()
    const wantedRatio = XADD_TARGETS[policy][pipeline]
    sections.push({
      id: ids[at],
      title: `XADD, 200 bytes, 50 connections, pipeline ${pipeline}, ${POLICY[policy]}`,
      columns: RATE_COLUMNS,
      cost: ['server'],
      rows: await interleave(cases, { rounds, log }),
      targets:
        wantedRatio === undefined
          ? []
          : [
              {
                label: `XADD pipeline ${pipeline}, ${POLICY[policy]}`,
                row: 'yeoul',
                against: 'redis',
                key: 'rate',
                atLeast: wantedRatio,
              },
            ],
    })
  }
  for (const { raw } of servers) await raw.call('DEL', 's')
  return sections
}

async function ping(servers, { rounds, quick, log }) {
  const sections = []
  for (const pipeline of [1, 16, 64]) {
    const count = { 1: 150_000, 16: 1_500_000, 64: 3_000_000 }[pipeline] / (quick ? 5 : 1)
    const cases = servers.map((server) => ({
      name: server.kind,
      label: server.label,
      run: () => benchmark(server, pipeline, count, ['PING']),
    }))
    for (const { run } of cases) await run()
    sections.push({
      id: `server-ping-${pipeline}`,
      title: `PING, 50 connections, pipeline ${pipeline}`,
      columns: RATE_COLUMNS,
      cost: ['server'],
      rows: await interleave(cases, { rounds, log }),
      targets:
        pipeline === 64 ? [{ label: 'PING pipeline 64', row: 'yeoul', against: 'redis', key: 'rate', atLeast: 1 }] : [],
    })
  }
  return sections
}

/** Ids of 15 bytes, all: 1700000000000-0 and on. */
const FIRST_ID = 1_700_000_000_000

/** Appends so many entries, a field of 200 bytes each, 1,000 in a write; each payload is another. */
async function append(raw, stream, count) {
  for (let from = 0; from < count; from += 1000) {
    const some = Math.min(1000, count - from)
    const commands = Array.from({ length: some }, (_, i) =>
      encode('XADD', stream, `${FIRST_ID + from + i}-0`, 'data', JSON.stringify(job(from + i))),
    )
    await raw.send(Buffer.concat(commands), some)
  }
}

function entryLayout() {
  const before = `*2\r\n$15\r\n`
  return {
    bytes: before.length + 15 + 2 + `*2\r\n$4\r\ndata\r\n$200\r\n`.length + 200 + 2,
    idAt: before.length,
    idLength: 15,
    head: `*1\r\n*2\r\n$1\r\ns\r\n*100\r\n`,
  }
}

async function readAndAcknowledge(servers, policy, { rounds, quick, log }) {
  const total = quick ? 100_000 : 400_000
  const cases = servers.map((server) => ({
    name: server.kind,
    label: server.label,
    async run() {
      const { raw, port, pid } = server
      await raw.call('DEL', 's')
      await raw.call('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
      await append(raw, 's', total)
      const role = await startRole(readAcknowledge)
      const before = cpuOf(pid)
      const { seconds, cpu } = await role.ask('run', { port, connections: 4, batch: 100, entry: entryLayout(), total })
      const serverCpu = cpuOf(pid) - before
      await role.end()
      const [left] = await raw.call('XPENDING', 's', 'g')
      if (left !== 0) throw new Error(`${left} entries are still pending`)
      return {
        rate: total / seconds,
        server: serverCpu / total,
        serverCores: serverCpu / 1e6 / seconds,
        client: cpu / total,
      }
    },
  }))
  for (const { run } of cases) await run()
  return {
    id: `server-read-ack-${policy}`,
    cost: ['server'],
    title: `XREADGROUP 100 + XACK 100, four connections, ${POLICY[policy]}`,
    columns: [
      { key: 'rate', label: 'entries/s' },
      { key: 'server', label: 'server CPU µs/entry' },
      { key: 'serverCores', label: 'server cores' },
      { key: 'client', label: 'client CPU µs/entry' },
    ],
    rows: await interleave(cases, { rounds, log }),
    targets:
      policy === 'off'
        ? [
            { label: 'XREADGROUP 100 + XACK 100', row: 'yeoul', against: 'redis', key: 'rate', atLeast: 2.5 },
            {
              label: '… by server CPU per entry, times less',
              row: 'yeoul',
              against: 'redis',
              key: 'server',
              inverse: true,
              atLeast: 2.5,
            },
          ]
        : [],
  }
}

async function ranges(servers, { rounds, quick, log }) {
  const entries = 200_000
  for (const { raw } of servers) await append(raw, 's', entries)
  const count = quick ? 10_000 : 40_000
  const cases = servers.map((server) => ({
    name: server.kind,
    label: server.label,
    run: () => benchmark(server, 1, count, ['XRANGE', 's', `${FIRST_ID + entries / 2 + 7}-0`, '+', 'COUNT', '100']),
  }))
  for (const { run } of cases) await run()
  return {
    id: 'server-range',
    title: 'XRANGE of 100 entries from the middle of 200,000, 50 connections',
    columns: RATE_COLUMNS,
    cost: ['server'],
    rows: await interleave(cases, { rounds, log }),
    targets: [{ label: 'XRANGE 100', row: 'yeoul', against: 'redis', key: 'rate', atLeast: 1 }],
  }
}

/** One million pending entries of ten consumers; then one command after another, each alone. */
async function overMillion(servers, { rounds, quick, log }) {
  const total = quick ? 200_000 : 1_000_000
  for (const { raw } of servers) {
    await raw.call('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    await append(raw, 's', total)
    for (let n = 0; n < total; n += 1000) {
      await raw.call('XREADGROUP', 'GROUP', 'g', `c${(n / 1000) % 10}`, 'COUNT', 1000, 'STREAMS', 's', '>')
    }
  }
  const sections = []
  const middle = `${FIRST_ID + total / 2}-0`
  for (const { id, title, words, calls, cursor } of [
    { id: 'xpending', title: 'XPENDING, summary', words: () => ['XPENDING', 's', 'g'], calls: 2000 },
    {
      id: 'xpending-page',
      title: 'XPENDING, 100 from the middle',
      words: () => ['XPENDING', 's', 'g', middle, '+', 100],
      calls: 2000,
    },
    {
      id: 'xpending-consumer',
      title: 'XPENDING, 100 of one consumer',
      words: () => ['XPENDING', 's', 'g', middle, '+', 100, 'c3'],
      calls: 1000,
    },
    {
      id: 'xpending-idle',
      title: 'XPENDING IDLE, none idle for so long',
      words: () => ['XPENDING', 's', 'g', 'IDLE', 3_600_000, '-', '+', 100],
      calls: 20,
    },
    {
      id: 'xautoclaim',
      title: 'XAUTOCLAIM 100, walking on',
      words: (next) => ['XAUTOCLAIM', 's', 'g', 'claimer', 0, next, 'COUNT', 100],
      calls: 1000,
      cursor: true,
    },
    {
      id: 'xautoclaim-none',
      title: 'XAUTOCLAIM 100, none idle for so long',
      words: (next) => ['XAUTOCLAIM', 's', 'g', 'claimer', 3_600_000, next, 'COUNT', 100],
      calls: 1000,
      cursor: true,
    },
    { id: 'xinfo-stream', title: 'XINFO STREAM', words: () => ['XINFO', 'STREAM', 's'], calls: 2000 },
    { id: 'xinfo-groups', title: 'XINFO GROUPS', words: () => ['XINFO', 'GROUPS', 's'], calls: 2000 },
    { id: 'xinfo-consumers', title: 'XINFO CONSUMERS', words: () => ['XINFO', 'CONSUMERS', 's', 'g'], calls: 2000 },
  ]) {
    const cases = servers.map((server) => ({
      name: server.kind,
      label: server.label,
      async run() {
        const { raw, pid } = server
        const times = []
        let next = '0-0'
        const before = cpuOf(pid)
        const startedAt = performance.now()
        for (let n = 0; n < calls; n++) {
          const sentAt = performance.now()
          const reply = await raw.call(...words(next))
          times.push(performance.now() - sentAt)
          if (cursor) next = reply[0]
        }
        const seconds = (performance.now() - startedAt) / 1000
        times.sort((a, b) => a - b)
        return {
          rate: calls / seconds,
          server: (cpuOf(pid) - before) / calls,
          p50: quantile(times, 0.5),
          p99: quantile(times, 0.99),
          max: times[times.length - 1],
        }
      },
    }))
    for (const { run } of cases) await run()
    sections.push({
      id: `server-pending-${id}`,
      cost: ['server'],
      title: `${title} (${total.toLocaleString('en')} pending)`,
      columns: [
        { key: 'rate', label: 'calls/s' },
        { key: 'server', label: 'server CPU µs/call' },
        { key: 'p50', label: 'p50 ms' },
        { key: 'p99', label: 'p99 ms' },
        { key: 'max', label: 'max ms' },
      ],
      rows: await interleave(cases, { rounds, log }),
      targets: [
        { label: title, row: 'yeoul', against: 'redis', key: 'rate', atLeast: 1 },
        { label: `${title}, longest`, row: 'yeoul', key: 'max', atMost: 10, unit: ' ms' },
      ],
    })
  }
  return sections
}

/** A fresh server each time: what it holds after so many entries, and after they were all delivered. */
async function memory({ rounds, quick, log }) {
  const total = quick ? 200_000 : 1_000_000
  const cases = KINDS.map(({ kind, label }) => ({
    name: kind,
    label,
    rounds: Math.min(rounds, 3),
    async run() {
      const server = await startServer(kind)
      const raw = await connectRaw(server.port)
      try {
        await append(raw, 'warm', 20_000)
        await raw.call('DEL', 'warm')
        await raw.call('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
        const empty = await sizes(raw, server.pid)
        await append(raw, 's', total)
        const waiting = await sizes(raw, server.pid)
        for (let n = 0; n < total; n += 1000) {
          await raw.call('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 1000, 'STREAMS', 's', '>')
        }
        const pending = await sizes(raw, server.pid)
        return {
          waiting: (waiting.used - empty.used) / total,
          pending: (pending.used - waiting.used) / total,
          waitingResident: (waiting.resident - empty.resident) / total,
          bothResident: (pending.resident - empty.resident) / total,
        }
      } finally {
        raw.close()
        await server.stop()
      }
    },
  }))
  return {
    id: 'server-memory',
    title: `Memory of ${total.toLocaleString('en')} entries of 200 bytes (bytes per entry)`,
    columns: [
      { key: 'waiting', label: 'waiting, used_memory' },
      { key: 'pending', label: 'pending on top, used_memory' },
      { key: 'waitingResident', label: 'waiting, resident' },
      { key: 'bothResident', label: 'waiting + pending, resident' },
    ],
    rows: await interleave(cases, { rounds, log }),
    targets: [
      { label: 'memory per waiting entry', row: 'yeoul', against: 'redis', key: 'waiting', atMost: 1 },
      {
        label: 'memory per waiting entry, resident',
        row: 'yeoul',
        against: 'redis',
        key: 'waitingResident',
        atMost: 1,
      },
      { label: 'memory per pending entry', row: 'yeoul', against: 'redis', key: 'pending', atMost: 0.3 },
    ],
  }
}

async function sizes(raw, pid) {
  // A server may answer a figure that is some 100 ms old.
  await new Promise((resolve) => setTimeout(resolve, 500))
  return { used: Number(/used_memory:(\d+)/.exec(await raw.call('INFO', 'memory'))[1]), resident: residentOf(pid) }
}

async function idleConnections({ rounds, quick, log }) {
  const count = quick ? 2_000 : 10_000
  const cases = KINDS.map(({ kind, label }) => ({
    name: kind,
    label,
    rounds: Math.min(rounds, 3),
    async run() {
      const server = await startServer(kind)
      const role = await startRole(connections)
      const raw = await connectRaw(server.port)
      try {
        await role.ask('open', { port: server.port, count: 100 })
        const before = residentOf(server.pid)
        await role.ask('open', { port: server.port, count })
        const idle = residentOf(server.pid)
        await role.ask('block')
        for (;;) {
          const parked = Number(/blocked_clients:(\d+)/.exec(await raw.call('INFO', 'clients'))[1])
          if (parked === count + 100) break
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
        const blocked = residentOf(server.pid)
        const cpu = cpuOf(server.pid)
        await new Promise((resolve) => setTimeout(resolve, 2000))
        const idleCpu = (cpuOf(server.pid) - cpu) / 2
        return { idle: (idle - before) / count, blocked: (blocked - idle) / count, idleCpu }
      } finally {
        raw.close()
        await role.end()
        await server.stop()
      }
    },
  }))
  return {
    id: 'server-connections',
    title: `${count.toLocaleString('en')} connections`,
    columns: [
      { key: 'idle', label: 'bytes per idle connection, resident' },
      { key: 'blocked', label: 'on top when parked in XREAD BLOCK' },
      { key: 'idleCpu', label: 'CPU µs per second while all are parked' },
    ],
    rows: await interleave(cases, { rounds, log }),
    targets: [
      {
        label: 'bytes per blocked reader beyond its connection',
        row: 'yeoul',
        key: 'blocked',
        atMost: 2000,
        unit: ' B',
      },
    ],
  }
}

/** Both start on copies of one directory, written by `yeoul serve`. */
async function load({ rounds, quick, log }) {
  const total = quick ? 500_000 : 2_000_000
  const directory = mkdtempSync(join(tmpdir(), 'yeoul-bench-'))
  try {
    const writer = await startServer('yeoul', { policy: 'everysec', directory })
    const raw = await connectRaw(writer.port)
    await append(raw, 's', total)
    await raw.call('XGROUP', 'CREATE', 's', 'g', '0')
    for (let n = 0; n < total / 10; n += 1000) {
      await raw.call('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 1000, 'STREAMS', 's', '>')
    }
    raw.close()
    await writer.stop()
    const cases = KINDS.map(({ kind, label }) => ({
      name: kind,
      label,
      rounds: Math.min(rounds, 3),
      async run() {
        const server = await startServer(kind, { policy: 'everysec', directory })
        const reader = await connectRaw(server.port)
        const length = await reader.call('XLEN', 's')
        const cpu = cpuOf(server.pid) / 1e6
        reader.close()
        await server.stop()
        if (length !== total) throw new Error(`${length} of ${total} entries are there`)
        return { seconds: server.readyAfter / 1000, cpu, rate: total / (server.readyAfter / 1000) }
      },
    }))
    return {
      id: 'server-load',
      title: `Restart with ${total.toLocaleString('en')} entries in the append-only file`,
      columns: [
        { key: 'seconds', label: 's until PING is answered' },
        { key: 'cpu', label: 'CPU s' },
        { key: 'rate', label: 'entries/s' },
      ],
      rows: await interleave(cases, { rounds, log }),
      targets: [
        { label: 'restart time', row: 'yeoul', against: 'redis', key: 'seconds', atMost: 1.5 },
        { label: 'entries loaded per second', row: 'yeoul', key: 'rate', atLeast: 300_000, unit: '/s' },
      ],
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
