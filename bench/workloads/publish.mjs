import { connectRaw } from '../harness/resp-client.mjs'
import { startRole } from '../harness/role.mjs'
import { interleave } from '../harness/rounds.mjs'
import { startServer } from '../harness/servers.mjs'

export const title = 'Publishing to redis-server'

const publisher = new URL('../publish/publisher-process.mjs', import.meta.url).pathname

/** Messages per run with 1,000 in flight; with fewer in flight proportionally less, so that runs take about as long. */
const CLIENTS = [
  { name: 'yeoul', label: 'yeoul topic.publish', count: 400_000 },
  { name: 'node-redis', label: 'node-redis, defaults', count: 60_000 },
  { name: 'node-redis, timeout 0', label: 'node-redis, timeout 0', count: 150_000 },
  { name: 'ioredis', label: 'ioredis', count: 80_000 },
  { name: 'bullmq', label: 'BullMQ queue.add', count: 20_000 },
]

export async function run({ rounds, quick, log, profile, wanted }) {
  const sections = []
  const server = await startServer('redis')
  const raw = await connectRaw(server.port)
  try {
    for (const { id, inFlight, share, title } of [
      { id: 'publish-1000', inFlight: 1000, share: 1, title: '1,000 publishes in flight, a promise each' },
      { id: 'publish-64', inFlight: 64, share: 0.6, title: '64 publishes in flight' },
      { id: 'publish-1', inFlight: 1, share: 0.06, title: 'One publish at a time' },
      { id: 'publish-many', inFlight: 'many', share: 1, title: 'One call per 1,000 messages' },
    ]) {
      if (!wanted(id)) continue
      const clients =
        inFlight === 'many' ? CLIENTS.filter(({ name }) => name === 'yeoul' || name === 'bullmq') : CLIENTS
      const cases = clients.map(({ name, label, count }) => ({
        name,
        label:
          inFlight === 'many' ? label.replace('publish', 'publishMany').replace('queue.add', 'queue.addBulk') : label,
        async run() {
          await raw.call('FLUSHALL', 'SYNC')
          const nodeArguments = profile && name === 'yeoul' ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : []
          const role = await startRole(publisher, { nodeArguments })
          await role.ask('open', { name, port: server.port })
          const total = Math.max(2000, Math.round((count * share) / (quick ? 5 : 1)))
          const result = await role.ask('publish', { count: total, inFlight, server: server.pid })
          await role.ask('close')
          await role.end()
          return result
        },
      }))
      sections.push({
        id,
        title,
        columns: [
          { key: 'client', label: 'client CPU µs/message' },
          { key: 'server', label: 'server CPU µs/message' },
          { key: 'rate', label: 'messages/s' },
          { key: 'clientCores', label: 'client cores' },
        ],
        rows: await interleave(cases, { rounds, log }),
        targets:
          inFlight === 1000
            ? [
                { label: 'client CPU per publish', row: 'yeoul', key: 'client', atMost: 5, unit: ' µs' },
                {
                  label: 'client CPU, times less than node-redis',
                  row: 'yeoul',
                  against: 'node-redis',
                  key: 'client',
                  inverse: true,
                  atLeast: 3,
                },
              ]
            : [],
      })
    }
  } finally {
    raw.close()
    await server.stop()
  }
  return sections
}
