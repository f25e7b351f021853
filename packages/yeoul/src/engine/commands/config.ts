import { ConfigError } from '../config.js'
import { glob } from '../glob.js'
import { type Call, type Command, CommandError } from './command.js'
import { help } from './help.js'

/** CONFIG GET pattern [pattern …] */
function get({ engine, request, reply }: Call): void {
  const found = new Set<string>()
  for (let i = 2; i < request.count; i++) {
    const pattern = request.string(i).toLowerCase()
    for (const name of engine.config.names) if (glob(pattern, name)) found.add(name)
  }
  reply.map(found.size)
  for (const name of found) {
    reply.bulk(name)
    reply.bulk(engine.config.get(name)!)
  }
}

/** CONFIG SET parameter value [parameter value …]: all or none */
function set({ engine, request, reply }: Call): void {
  if (request.count % 2 !== 0) throw new CommandError("ERR wrong number of arguments for 'config|set' command")
  const changes: [string, string][] = []
  for (let i = 2; i < request.count; i += 2) changes.push([request.string(i).toLowerCase(), request.string(i + 1)])
  try {
    engine.config.set(changes)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    if (error.reason === 'unknown') {
      throw new CommandError(`ERR Unknown option or number of arguments for CONFIG SET - '${error.parameter}'`)
    }
    throw new CommandError(
      `ERR CONFIG SET failed (possibly related to argument '${error.parameter}') - ${error.reason}`,
    )
  }
  reply.ok()
}

const base = {
  keys: null,
  group: 'server',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['admin', 'slow', 'dangerous'],
} as const

export const configCommands: readonly Command[] = [
  {
    ...base,
    name: 'config',
    arity: -2,
    flags: [],
    since: '2.0.0',
    summary: 'A container for server configuration commands.',
    complexity: 'Depends on subcommand.',
    categories: ['slow'],
    subcommands: [
      {
        ...base,
        name: 'get',
        arity: -3,
        since: '2.0.0',
        summary: 'Returns the effective values of configuration parameters.',
        complexity: 'O(N) when N is the number of configuration parameters provided',
        handler: get,
      },
      {
        ...base,
        name: 'set',
        arity: -4,
        since: '2.0.0',
        summary: 'Sets configuration parameters in-flight.',
        complexity: 'O(N) when N is the number of configuration parameters provided',
        handler: set,
      },
      {
        ...base,
        name: 'resetstat',
        arity: 2,
        since: '2.0.0',
        summary: "Resets the server's statistics.",
        complexity: 'O(1)',
        handler: ({ engine, reply }) => {
          engine.stats.reset()
          reply.ok()
        },
      },
      {
        ...base,
        name: 'rewrite',
        arity: 2,
        since: '2.8.0',
        summary: 'Persists the effective configuration to file.',
        complexity: 'O(1)',
        handler: () => {
          throw new CommandError('ERR The server is running without a config file')
        },
      },
      help('config', 'server', '5.0.0', [
        'GET <pattern>',
        '    Return parameters matching the glob-like <pattern> and their values.',
        'SET <directive> <value>',
        '    Set the configuration <directive> to <value>.',
        'RESETSTAT',
        '    Reset statistics reported by the INFO command.',
        'REWRITE',
        '    Rewrite the configuration file.',
      ]),
    ],
  },
]
