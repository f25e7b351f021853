import { type Call, type Command, CommandError, notAnInteger, syntaxError } from './command.js'
import { help } from './help.js'
import { memoryOf } from './values.js'

/** What one key costs besides its value: its name and its place in the table, roughly. */
const KEY_OVERHEAD = 64

/** MEMORY USAGE key [SAMPLES count]: values know their size, so there is nothing to sample */
function usage({ request, reply, database, now }: Call): void {
  for (let i = 3; i < request.count; i += 2) {
    if (!request.is(i, 'SAMPLES') || i + 1 >= request.count) throw syntaxError()
    const text = request.string(i + 1)
    if (!/^-?[0-9]{1,15}$/.test(text)) throw notAnInteger()
    if (text[0] === '-') throw syntaxError()
  }
  const value = database.get(request.string(2), now)
  if (value === undefined) reply.nil()
  else reply.integer(memoryOf(value) + request.length(2) + KEY_OVERHEAD)
}

function stats({ engine, reply }: Call): void {
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
  const used = heapUsed + external
  engine.stats.peakMemory = Math.max(engine.stats.peakMemory, used)
  const keys = engine.databases.reduce((sum, database) => sum + database.size, 0)
  const dataset = engine.usedMemory()
  let clients = 0
  for (const { output, peer } of engine.sessions.values()) {
    clients += output.bytes.length + (peer?.outputBytes ?? 0) + (peer?.queryBytes ?? 0)
  }
  const facts: [string, number][] = [
    ['peak.allocated', engine.stats.peakMemory],
    ['total.allocated', used],
    ['startup.allocated', 0],
    ['replication.backlog', 0],
    ['clients.normal', clients],
    ['overhead.total', Math.max(0, used - dataset)],
    ['keys.count', keys],
    ['keys.bytes-per-key', keys === 0 ? 0 : Math.round(dataset / keys)],
    ['dataset.bytes', dataset],
    ['allocator.allocated', used],
    ['allocator.active', heapTotal + external],
    ['allocator.resident', rss],
    ['array-buffers.bytes', arrayBuffers],
  ]
  reply.map(facts.length + 2)
  for (const [name, value] of facts) {
    reply.bulk(name)
    reply.integer(value)
  }
  reply.bulk('dataset.percentage')
  reply.double((dataset / used) * 100)
  reply.bulk('peak.percentage')
  reply.double((used / engine.stats.peakMemory) * 100)
}

function doctor({ engine, reply }: Call): void {
  const { maxmemory } = engine.config
  const dataset = engine.usedMemory()
  if (maxmemory > 0 && dataset > maxmemory * 0.9) {
    reply.verbatim(
      `Data holds ${dataset} of ${maxmemory} bytes allowed by maxmemory: writes will soon be refused. Trim streams or raise maxmemory.\n`,
    )
  } else reply.verbatim('No memory problem found.\n')
}

const base = {
  keys: null,
  group: 'server',
  flags: [],
  since: '4.0.0',
  categories: ['slow'],
  complexity: 'O(1)',
} as const

export const memoryCommand: Command = {
  ...base,
  name: 'memory',
  arity: -2,
  summary: 'A container for memory diagnostics commands.',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      ...base,
      name: 'usage',
      arity: -3,
      flags: ['readonly'],
      keys: { first: 2, last: 2, step: 1 },
      categories: ['read', 'slow'],
      summary: 'Estimates the memory usage of a key.',
      handler: usage,
    },
    {
      ...base,
      name: 'stats',
      arity: 2,
      summary: 'Returns details about memory usage.',
      handler: stats,
    },
    {
      ...base,
      name: 'doctor',
      arity: 2,
      summary: 'Outputs a memory problems report.',
      handler: doctor,
    },
    ...(['purge', 'malloc-stats'] as const).map(
      (name): Command => ({
        ...base,
        name,
        arity: 2,
        summary: name === 'purge' ? 'Asks the allocator to release memory.' : 'Returns the allocator statistics.',
        handler: () => {
          throw new CommandError(`ERR MEMORY ${name.toUpperCase()} is not offered: memory is allocated by V8`)
        },
      }),
    ),
    help('memory', 'server', '4.0.0', [
      'DOCTOR',
      '    Return memory problems reports.',
      'STATS',
      '    Return information about the memory usage of the server.',
      'USAGE <key> [SAMPLES <count>]',
      '    Return memory in bytes used by <key> and its value.',
    ]),
  ],
}
