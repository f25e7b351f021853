import { aclCommands } from './acl.js'
import { type Call, type Command, CommandError, syntaxError } from './command.js'
import { configCommands } from './config.js'
import { help } from './help.js'
import { infoCommands } from './info.js'
import { introspectionCommands } from './introspection.js'
import { latencyCommand, slowlogCommand } from './latency.js'
import { memoryCommand } from './memory.js'
import { waitCommands } from './wait.js'

const base = {
  keys: null,
  group: 'server',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['admin', 'slow', 'dangerous'],
  complexity: 'O(1)',
} as const

/** Offered by name so that tools get a reason instead of a guess: Redis' own words where Redis has a mode without it. */
function refused(
  name: string,
  arity: number,
  since: string,
  summary: string,
  text: string,
  differing: Partial<Pick<Command, 'flags' | 'categories' | 'group'>> = {},
): Command {
  return {
    ...base,
    ...differing,
    name,
    arity,
    since,
    summary,
    handler: () => {
      throw new CommandError(text)
    },
  }
}

const NO_SNAPSHOTS = 'ERR this server keeps an append-only file and no RDB snapshots; use BGREWRITEAOF to compact it'
const NO_SCRIPTS = 'ERR scripting is not supported by this server; use MULTI, or FCALL of its built-in functions'
const NO_CLUSTER = 'ERR This instance has cluster support disabled'
const NO_REPLICATION = 'ERR replication is not supported by this server'

const SNAPSHOT = { flags: ['admin', 'noscript'] } as const
const SCRIPT = { flags: ['noscript', 'stale'], categories: ['slow', 'scripting'], group: 'scripting' } as const

function time({ reply, now }: Call): void {
  reply.array(2)
  reply.bulk(String(Math.floor(now / 1000)))
  reply.bulk(String((now % 1000) * 1000))
}

function backgroundRewrite({ engine, reply }: Call): void {
  if (engine.log === undefined)
    throw new CommandError('ERR there is no append-only file to rewrite: this server keeps its data in memory')
  if (engine.log.rewriting) {
    throw new CommandError('ERR Background append only file rewriting already in progress')
  }
  engine.rewriteLog().catch(() => {
    // The outcome stands in INFO persistence and in the log's own failure state.
  })
  reply.simple('Background append only file rewriting started')
}

/** SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]: everything acknowledged is in the log, so NOSAVE and SAVE end alike. */
function shutdown({ engine, request, session }: Call): void {
  for (let i = 1; i < request.count; i++) {
    if (request.is(i, 'ABORT')) throw new CommandError('ERR No shutdown in progress.')
    if (!['NOSAVE', 'SAVE', 'NOW', 'FORCE'].some((word) => request.is(i, word))) throw syntaxError()
  }
  if (engine.host === undefined) {
    throw new CommandError('ERR SHUTDOWN is up to the program that this engine is embedded in')
  }
  session.closing = true
  engine.host.shutdown()
}

function monitor({ engine, session, reply }: Call): void {
  engine.monitors.add(session)
  reply.ok()
}

const debugCommand: Command = {
  ...base,
  name: 'debug',
  arity: -2,
  since: '1.0.0',
  summary: 'A container for debugging commands.',
  handler: () => {
    throw new CommandError(
      'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
    )
  },
}

const scriptCommand: Command = {
  ...base,
  name: 'script',
  arity: -2,
  group: 'scripting',
  flags: [],
  since: '2.6.0',
  summary: 'A container for Lua scripts management commands.',
  categories: ['slow'],
  subcommands: [
    {
      ...base,
      name: 'flush',
      arity: -2,
      group: 'scripting',
      flags: ['noscript'],
      categories: ['slow', 'scripting'],
      since: '2.6.0',
      summary: 'Removes all server-side Lua scripts from the script cache.',
      handler: ({ request, reply }) => {
        if (request.count > 3 || (request.count === 3 && !request.is(2, 'SYNC') && !request.is(2, 'ASYNC'))) {
          throw new CommandError('ERR SCRIPT FLUSH only support SYNC|ASYNC option')
        }
        reply.ok()
      },
    },
    {
      ...base,
      name: 'exists',
      arity: -3,
      group: 'scripting',
      flags: ['noscript'],
      categories: ['slow', 'scripting'],
      since: '2.6.0',
      summary: 'Determines whether server-side Lua scripts exist in the script cache.',
      handler: ({ request, reply }) => {
        reply.array(request.count - 2)
        for (let i = 2; i < request.count; i++) reply.integer(0)
      },
    },
    {
      ...base,
      name: 'load',
      arity: 3,
      group: 'scripting',
      flags: ['noscript', 'stale'],
      categories: ['slow', 'scripting'],
      since: '2.6.0',
      summary: 'Loads a server-side Lua script to the script cache.',
      handler: () => {
        throw new CommandError(NO_SCRIPTS)
      },
    },
  ],
}

const moduleCommand: Command = {
  ...base,
  name: 'module',
  arity: -2,
  flags: [],
  since: '4.0.0',
  summary: 'A container for module commands.',
  categories: ['slow'],
  subcommands: [
    {
      ...base,
      name: 'list',
      arity: 2,
      flags: ['admin', 'noscript'],
      since: '4.0.0',
      summary: 'Returns all loaded modules.',
      complexity: 'O(N) where N is the number of loaded modules.',
      handler: ({ reply }) => reply.array(0),
    },
    help('module', 'server', '5.0.0', ['LIST', '    Return a list of loaded modules.']),
  ],
}

/** Everything about the server itself; the larger families have files of their own and are listed here. */
export const serverCommands: readonly Command[] = [
  ...aclCommands,
  ...configCommands,
  ...infoCommands,
  ...introspectionCommands,
  latencyCommand,
  slowlogCommand,
  memoryCommand,
  {
    ...base,
    name: 'time',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    since: '2.6.0',
    summary: 'Returns the server time.',
    categories: ['fast'],
    handler: time,
  },
  {
    ...base,
    name: 'lastsave',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    since: '1.0.0',
    summary: 'Returns the Unix timestamp of the last successful save to disk.',
    categories: ['admin', 'fast', 'dangerous'],
    handler: ({ engine, reply }) => reply.integer(Math.floor(engine.startedAt / 1000)),
  },
  {
    ...base,
    name: 'bgrewriteaof',
    arity: 1,
    flags: ['admin', 'noscript'],
    since: '1.0.0',
    summary: 'Asynchronously rewrites the append-only file to disk.',
    handler: backgroundRewrite,
  },
  {
    ...base,
    name: 'shutdown',
    arity: -1,
    flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'allow_busy'],
    since: '1.0.0',
    summary: 'Synchronously saves the database(s) to disk and shuts down the server.',
    handler: shutdown,
  },
  {
    ...base,
    name: 'monitor',
    arity: 1,
    since: '1.0.0',
    summary: 'Listens for all requests received by the server in real-time.',
    handler: monitor,
  },
  ...waitCommands,
  {
    ...base,
    name: 'role',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    since: '2.8.12',
    summary: 'Returns the replication role.',
    categories: ['admin', 'fast', 'dangerous'],
    handler: ({ reply }) => {
      reply.array(3)
      reply.bulk('master')
      reply.integer(0)
      reply.array(0)
    },
  },
  {
    ...base,
    name: 'lolwut',
    arity: -1,
    flags: ['readonly', 'fast'],
    since: '5.0.0',
    summary: 'Displays computer art and the server version.',
    categories: ['read', 'fast'],
    handler: ({ reply }) => reply.verbatim('~~~~~\n ~~~~~\n  ~~~~~  yeoul: where a stream runs fast\n'),
  },
  debugCommand,
  scriptCommand,
  moduleCommand,
  refused('save', 1, '1.0.0', 'Synchronously saves the database(s) to disk.', NO_SNAPSHOTS, SNAPSHOT),
  refused('bgsave', -1, '1.0.0', 'Asynchronously saves the database(s) to disk.', NO_SNAPSHOTS, SNAPSHOT),
  refused('eval', -3, '2.6.0', 'Executes a server-side Lua script.', NO_SCRIPTS, SCRIPT),
  refused('evalsha', -3, '2.6.0', 'Executes a server-side Lua script by SHA1 digest.', NO_SCRIPTS, SCRIPT),
  refused('cluster', -2, '3.0.0', 'A container for Redis Cluster commands.', NO_CLUSTER, {
    flags: [],
    categories: ['slow'],
  }),
  refused(
    'replicaof',
    3,
    '5.0.0',
    'Configures a server as replica of another, or promotes it to a master.',
    NO_REPLICATION,
  ),
  refused(
    'slaveof',
    3,
    '1.0.0',
    'Sets a server as a replica of another, or promotes it to being a master.',
    NO_REPLICATION,
  ),
  refused('psync', -3, '2.8.0', 'An internal command used in replication.', NO_REPLICATION),
  refused('sync', 1, '1.0.0', 'An internal command used in replication.', NO_REPLICATION),
]
