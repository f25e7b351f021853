import { type Call, type Command, CommandError } from './command.js'
import { help } from './help.js'

/** SLOWLOG GET [count] */
function slowlogGet({ engine, request, reply }: Call): void {
  if (request.count > 3) {
    throw new CommandError(
      `ERR unknown subcommand or wrong number of arguments for '${request.string(1)}'. Try SLOWLOG HELP.`,
    )
  }
  const text = request.count === 3 ? request.string(2) : '10'
  const count = /^(-1|[0-9]{1,9})$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(count)) throw new CommandError('ERR count should be greater than or equal to -1')
  const slow = engine.slowlog.latest(count === -1 ? engine.slowlog.length : count)
  reply.array(slow.length)
  for (const entry of slow) {
    reply.array(6)
    reply.integer(entry.id)
    reply.integer(entry.at)
    reply.integer(entry.microseconds)
    reply.array(entry.args.length)
    for (const arg of entry.args) reply.bulk(arg)
    reply.bulk(entry.address)
    reply.bulk(entry.name)
  }
}

/** LATENCY LATEST */
function latest({ engine, reply }: Call): void {
  const events = engine.latency.latest()
  reply.array(events.length)
  for (const { event, last, max } of events) {
    reply.array(4)
    reply.bulk(event)
    reply.integer(last.at)
    reply.integer(Math.round(last.ms))
    reply.integer(Math.round(max))
  }
}

/** LATENCY HISTORY event */
function history({ engine, request, reply }: Call): void {
  const samples = engine.latency.history(request.string(2).toLowerCase())
  reply.array(samples.length)
  for (const { at, ms } of samples) {
    reply.array(2)
    reply.integer(at)
    reply.integer(Math.round(ms))
  }
}

function resetLatency({ engine, request, reply }: Call): void {
  const events: string[] = []
  for (let i = 2; i < request.count; i++) events.push(request.string(i).toLowerCase())
  reply.integer(engine.latency.reset(events))
}

/** LATENCY HISTOGRAM [command …]: how many calls took at most so many microseconds, by powers of two; a container stands for its subcommands. */
function histogram({ engine, request, reply }: Call): void {
  const { perCommand } = engine.stats
  const names: string[] = []
  if (request.count === 2) names.push(...perCommand.keys())
  for (let i = 2; i < request.count; i++) {
    const name = request.string(i).toLowerCase()
    const members = engine.table.get(name)?.subcommands?.map((sub) => `${name}|${sub.name}`) ?? []
    names.push(...[name, ...members].filter((each) => perCommand.has(each)))
  }
  const called = names.filter((name) => perCommand.get(name)!.calls > 0)
  reply.map(called.length)
  for (const name of called) {
    const { calls, durations } = perCommand.get(name)!
    reply.bulk(name)
    reply.map(2)
    reply.bulk('calls')
    reply.integer(calls)
    reply.bulk('histogram_usec')
    reply.map(durations.reduce((used, count) => used + (count > 0 ? 1 : 0), 0))
    let sum = 0
    for (let i = 0; i < durations.length; i++) {
      if (durations[i] === 0) continue
      sum += durations[i]
      reply.integer(Math.round(1.024 * 2 ** i))
      reply.integer(sum)
    }
  }
}

function doctor({ engine, reply }: Call): void {
  const threshold = engine.config.latencyMonitorThreshold
  const events = engine.latency.latest()
  if (threshold === 0) {
    reply.verbatim(
      'Latency monitoring is off. Set latency-monitor-threshold to a number of milliseconds to record commands that take at least as long.\n',
    )
  } else if (events.length === 0) {
    reply.verbatim(`No command has taken ${threshold} ms or longer since monitoring began.\n`)
  } else {
    reply.verbatim(
      events
        .map(
          ({ event, max }) =>
            `${event}: ${engine.latency.history(event).length} spikes, worst ${Math.round(max)} ms.\n`,
        )
        .join('') + 'SLOWLOG GET names the commands.\n',
    )
  }
}

const base = {
  keys: null,
  group: 'server',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['admin', 'slow', 'dangerous'],
  complexity: 'O(1)',
} as const

export const slowlogCommand: Command = {
  ...base,
  name: 'slowlog',
  arity: -2,
  flags: [],
  since: '2.2.12',
  summary: 'A container for slow log commands.',
  complexity: 'Depends on subcommand.',
  categories: ['slow'],
  subcommands: [
    {
      ...base,
      name: 'get',
      arity: -2,
      since: '2.2.12',
      summary: "Returns the slow log's entries.",
      complexity: 'O(N) where N is the number of entries returned',
      handler: slowlogGet,
    },
    {
      ...base,
      name: 'len',
      arity: 2,
      since: '2.2.12',
      summary: 'Returns the number of entries in the slow log.',
      handler: ({ engine, reply }) => reply.integer(engine.slowlog.length),
    },
    {
      ...base,
      name: 'reset',
      arity: 2,
      since: '2.2.12',
      summary: 'Clears all entries from the slow log.',
      complexity: 'O(N) where N is the number of entries in the slowlog',
      handler: ({ engine, reply }) => {
        engine.slowlog.reset()
        reply.ok()
      },
    },
    help('slowlog', 'server', '6.2.0', [
      'GET [<count>]',
      '    Return top <count> entries from the slowlog (default: 10, -1 mean all).',
      '    Entries are made of:',
      '    id, timestamp, time in microseconds, arguments array, client IP and port,',
      '    client name',
      'LEN',
      '    Return the length of the slowlog.',
      'RESET',
      '    Reset the slowlog.',
    ]),
  ],
}

export const latencyCommand: Command = {
  ...base,
  name: 'latency',
  arity: -2,
  flags: [],
  since: '2.8.13',
  summary: 'A container for latency diagnostics commands.',
  complexity: 'Depends on subcommand.',
  categories: ['slow'],
  subcommands: [
    {
      ...base,
      name: 'doctor',
      arity: 2,
      since: '2.8.13',
      summary: 'Returns a human-readable latency analysis report.',
      handler: doctor,
    },
    {
      ...base,
      name: 'histogram',
      arity: -2,
      since: '7.0.0',
      summary: 'Returns the cumulative distribution of latencies of a subset or all commands.',
      complexity: 'O(N) where N is the number of commands with latency information being retrieved.',
      handler: histogram,
    },
    {
      ...base,
      name: 'history',
      arity: 3,
      since: '2.8.13',
      summary: 'Returns timestamp-latency samples for an event.',
      handler: history,
    },
    {
      ...base,
      name: 'latest',
      arity: 2,
      since: '2.8.13',
      summary: 'Returns the latest latency samples for all events.',
      handler: latest,
    },
    {
      ...base,
      name: 'reset',
      arity: -2,
      since: '2.8.13',
      summary: 'Resets the latency data for one or more events.',
      handler: resetLatency,
    },
    help('latency', 'server', '2.8.13', [
      'DOCTOR',
      '    Return a human readable latency analysis report.',
      'HISTOGRAM [COMMAND ...]',
      '    Return a cumulative histogram of latencies in the format of an HDR histogram.',
      'HISTORY <event>',
      '    Return time-latency samples for the <event> event.',
      'LATEST',
      '    Return the latest latency samples for all events.',
      'RESET [<event> ...]',
      '    Reset latency data of one or more <event>s.',
      '    (default: reset all data for all event classes)',
    ]),
  ],
}
