import type { Command } from '../packages/yeoul/src/engine/commands/command.js'
import { commands } from '../packages/yeoul/src/engine/commands/index.js'
import { argumentsOf, syntaxText } from '../packages/yeoul/src/engine/commands/syntax.js'
import { Config } from '../packages/yeoul/src/engine/config.js'
import { Engine } from '../packages/yeoul/src/engine/engine.js'
import { Request } from '../packages/yeoul/src/engine/resp/request.js'
import { REDIS_VERSION } from '../packages/yeoul/src/engine/version.js'

/** Commands of Redis that the table does not know, by family, and why. */
export const OUT: readonly { family: string; why: string; commands: string }[] = [
  {
    family: 'Lists',
    why: 'A stream with a group does what lists are used for as queues, and keeps what was read.',
    commands:
      'LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LMPOP BLPOP BRPOP BLMPOP LMOVE BLMOVE RPOPLPUSH BRPOPLPUSH LRANGE LLEN LINDEX LSET LINSERT LREM LTRIM LPOS',
  },
  {
    family: 'Sets',
    why: 'Nothing of the runtime or the tools needs them.',
    commands:
      'SADD SREM SMEMBERS SISMEMBER SMISMEMBER SCARD SPOP SRANDMEMBER SMOVE SSCAN SUNION SUNIONSTORE SINTER SINTERSTORE SINTERCARD SDIFF SDIFFSTORE',
  },
  {
    family: 'Sorted sets, over several keys and blocking',
    why: 'The schedule of delayed messages needs one sorted set at a time.',
    commands:
      'ZUNION ZUNIONSTORE ZINTER ZINTERSTORE ZINTERCARD ZDIFF ZDIFFSTORE ZMPOP ZRANDMEMBER BZPOPMIN BZPOPMAX BZMPOP',
  },
  {
    family: 'Expiry of hash fields',
    why: 'Needs a deadline a field; keys expire.',
    commands:
      'HEXPIRE HPEXPIRE HEXPIREAT HPEXPIREAT HTTL HPTTL HEXPIRETIME HPEXPIRETIME HPERSIST HGETEX HGETDEL HSETEX',
  },
  {
    family: 'Strings: bits, comparisons, several keys with options',
    why: 'Nothing of the runtime or the tools needs them.',
    commands: 'SETBIT GETBIT BITCOUNT BITPOS BITOP BITFIELD BITFIELD_RO LCS DELEX DIGEST MSETEX',
  },
  {
    family: 'HyperLogLog, geography, sorting, vectors',
    why: 'Out of scope.',
    commands:
      'PFADD PFCOUNT PFMERGE PFDEBUG PFSELFTEST GEOADD GEODIST GEOHASH GEOPOS GEOSEARCH GEOSEARCHSTORE GEORADIUS GEORADIUS_RO GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO SORT SORT_RO VADD VCARD VDIM VEMB VGETATTR VINFO VISMEMBER VLINKS VRANDMEMBER VRANGE VREM VSETATTR VSIM',
  },
  {
    family: 'Keys as blobs',
    why: 'A payload is the RDB form of a value (for a stream: listpacks in a radix tree, with a CRC-64). The way to another server is the data directory itself, which redis-server loads, and XRANGE with XADD.',
    commands: 'DUMP RESTORE RESTORE-ASKING MIGRATE',
  },
  {
    family: 'Scripting',
    why: 'There is no Lua. The steps of the runtime are built in as functions (FCALL).',
    commands: 'EVAL_RO EVALSHA_RO',
  },
  {
    family: 'Cluster and replication',
    why: 'The engine is for one machine; the runtime scales out on Redis or Valkey Cluster.',
    commands: 'ASKING READONLY READWRITE REPLCONF FAILOVER',
  },
  { family: 'Server', why: 'Diagnostics of machinery that is not here.', commands: 'HOTKEYS' },
]

/** Options and subcommands that Redis has and this does not, of commands that are offered. */
const LEFT_OUT: readonly [what: string, why: string, request: string[]][] = [
  [
    'CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO',
    'client-side caching needs a record of who read which key',
    ['CLIENT', 'TRACKING', 'ON'],
  ],
  ['LATENCY GRAPH', 'LATENCY HISTORY has the samples', ['LATENCY', 'GRAPH', 'command']],
  ['MODULE LOAD, LOADEX, UNLOAD', 'there are no modules', ['MODULE', 'LOAD', 'x']],
  ['FUNCTION DUMP', 'the one library is built in', ['FUNCTION', 'DUMP']],
  ['SCRIPT KILL, DEBUG', 'there is no Lua', ['SCRIPT', 'KILL']],
  [
    'maxmemory-policy other than noeviction',
    'an evicted stream would be a loss nobody acknowledged',
    ['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru'],
  ],
  [
    'CONFIG SET appendfsync',
    'the policy belongs to the open log: start again with --appendfsync',
    ['CONFIG', 'SET', 'appendfsync', 'no'],
  ],
  ['CONFIG SET appendonly', 'likewise --appendonly', ['CONFIG', 'SET', 'appendonly', 'no']],
  [
    'maxmemory-clients',
    'peers are bounded one by one: client-query-buffer-limit, client-output-buffer-limit',
    ['CONFIG', 'SET', 'maxmemory-clients', '1gb'],
  ],
  ['CONFIG SET save', 'there are no snapshots', ['CONFIG', 'SET', 'save', '60 1']],
]

/** Where the same request is answered otherwise than by Redis, knowingly. */
const OTHERWISE: readonly [what: string, why: string][] = [
  [
    'The version announced',
    `\`redis_version\` is ${REDIS_VERSION}: clients choose by it what they send. \`INFO server\` has \`yeoul_version\` beside it`,
  ],
  [
    'Line ends inside a request',
    'the two bytes behind a bulk string must be CR LF (`Protocol error: expected CRLF after bulk string`); Redis skips them unseen. Entries are kept and sent on in the form in which they came',
  ],
  [
    'A write that the disk refuses',
    'is answered `MISCONF` with every policy and the engine tries again; Redis ends the process with `appendfsync always`',
  ],
  [
    'OBJECT ENCODING',
    '`int`, `embstr`, `raw` of strings are told by content; other encodings are named as Redis names those of its size limits',
  ],
  [
    'XINFO STREAM radix-tree-nodes',
    'is computed: entries are kept in segments, whose boundaries are those of Redis (`radix-tree-keys` is exact), with no tree above them',
  ],
  ['SCAN', 'cursors are positions in a table of keys; the guarantees are those of Redis'],
  [
    'INFO memory, MEMORY STATS',
    '`used_memory` is what V8 and the buffers hold; allocator figures that have no counterpart are left out',
  ],
  ['CLUSTER, SENTINEL probes', '`CLUSTER …` says that cluster support is disabled, as Redis does in standalone mode'],
  ['Channels of SSUBSCRIBE, SPUBLISH', 'are not shown as key positions by COMMAND: their rights are those of channels'],
  ['FCALL', 'is shown to MONITOR as it comes; its effects are logged as one transaction'],
  [
    'ACL users',
    'live as long as the process: there is no aclfile (ACL LOAD and SAVE answer as Redis does without one). `--requirepass` sets the password of the default user at each start; other users are made anew by ACL SETUSER, or by the program that embeds the server',
  ],
  [
    'Rules of ACL SETUSER',
    'are kept in the order given, as since Redis 7.2; a rule for a first argument (`+select|0`) is refused: `Allowing first-arg of a command is not supported`',
  ],
]

const FAMILIES: Readonly<Record<Command['group'], string>> = {
  stream: 'Streams',
  generic: 'Keys',
  string: 'Strings',
  hash: 'Hashes',
  'sorted-set': 'Sorted sets',
  transactions: 'Transactions',
  pubsub: 'Pub/Sub',
  connection: 'Connection',
  server: 'Server',
  scripting: 'Functions and scripts',
}

interface Row {
  readonly command: Command
  readonly fullName: string
  /** The error that every call gets. */
  readonly refusal: string | undefined
}

async function ask(words: readonly string[]): Promise<string> {
  const engine = await Engine.open()
  const session = engine.createSession()
  engine.execute(session, Request.of(...words))
  const reply = session.output.take().toString('latin1')
  await engine.close()
  return reply
}

function errorOf(reply: string): string | undefined {
  return reply[0] === '-' ? reply.slice(1).trimEnd() : undefined
}

/** Rows that answer an error whatever they are given. */
const REFUSED = new Set([
  ...['save', 'bgsave', 'eval', 'evalsha', 'cluster', 'replicaof', 'slaveof', 'psync', 'sync', 'debug'],
  ...['script|load', 'function|load', 'function|restore', 'function|delete', 'function|flush', 'function|kill'],
  ...['config|rewrite'],
])

async function rows(): Promise<Row[]> {
  const all: Row[] = []
  const add = async (command: Command, fullName: string) => {
    let refusal: string | undefined
    if (REFUSED.has(fullName)) {
      const words = fullName.split('|')
      while (words.length < Math.abs(command.arity)) words.push('1')
      refusal = errorOf(await ask(words))
      if (refusal === undefined) throw new Error(`${fullName} is listed as refused and is not`)
    }
    all.push({ command, fullName, refusal })
  }
  for (const command of commands) {
    if (command.handler !== undefined) await add(command, command.name)
    for (const subcommand of command.subcommands ?? []) {
      if (subcommand.name !== 'help') await add(subcommand, `${command.name}|${subcommand.name}`)
    }
  }
  return all
}

const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``
const shownName = (fullName: string) => fullName.toUpperCase().replace('|', ' ')

/** docs/compatibility.md, from the command table and from what the engine answers. */
export async function compatibilityPage(): Promise<string> {
  const all = await rows()
  const lines: string[] = []
  const say = (...text: string[]) => lines.push(...text)
  const offered = all.filter((row) => row.refusal === undefined)
  say(
    '# Compatibility',
    '',
    'What the engine and its server answer, and what they do not. Written from the command table; a test keeps it current',
    '(`npx vitest run tools/compatibility.test.ts -u` writes it again).',
    '',
    `The server announces \`redis_version:${REDIS_VERSION}\`, speaks RESP2 and RESP3, and knows ${commands.length} commands`,
    `(${offered.length} forms with their subcommands). A command that is offered is offered whole, with all its options, unless a line below says otherwise.`,
    '',
    '| family | offered | known and refused |',
    '|---|---|---|',
  )
  const groups = Object.keys(FAMILIES) as Command['group'][]
  for (const group of groups) {
    const own = all.filter(({ command }) => command.group === group)
    say(
      `| ${FAMILIES[group]} | ${own.filter((row) => !row.refusal).length} | ${own.filter((row) => row.refusal).length} |`,
    )
  }
  say(
    '',
    `Unknown to it: ${OUT.reduce((sum, { commands }) => sum + commands.split(' ').length, 0)} commands of Redis, listed below.`,
  )
  for (const group of groups) {
    const own = offered.filter(({ command }) => command.group === group)
    say('', `## ${FAMILIES[group]}`, '', '| command | arguments | in Redis since |', '|---|---|---|')
    for (const { command, fullName } of own) {
      const parts = syntaxText(argumentsOf(fullName))
      say(`| ${code(shownName(fullName))} | ${parts === '' ? '' : code(parts)} | ${command.since} |`)
    }
  }
  say(
    '',
    '## Known and refused',
    '',
    'So that tools get a reason instead of a guess.',
    '',
    '| command | answer |',
    '|---|---|',
  )
  for (const { fullName, refusal } of all) {
    if (refusal !== undefined) say(`| ${code(shownName(fullName))} | ${code(refusal)} |`)
  }
  say('', '## Options and subcommands left out', '', '| what | why | answer |', '|---|---|---|')
  for (const [what, why, request] of LEFT_OUT) {
    const refusal = errorOf(await ask(request))
    if (refusal === undefined) throw new Error(`${request.join(' ')} is listed as left out and is answered`)
    say(`| ${what} | ${why} | ${code(refusal)} |`)
  }
  say('', '## Unknown commands', '', `Answered ${code(errorOf(await ask(['LPUSH', 'k', 'v'])) ?? '')}.`, '')
  for (const { family, why, commands: names } of OUT) {
    say(`- **${family}**: ${names.split(' ').map(code).join(' ')}. ${why}`)
  }
  say('', '## Answered otherwise', '')
  for (const [what, why] of OTHERWISE) say(`- **${what}**: ${why}.`)
  say(
    '',
    '## Parameters',
    '',
    'CONFIG GET and SET know what does something here:',
    '',
    new Config().names.map(code).join(' '),
    '',
    'Others are answered as Redis answers unknown ones.',
    '',
  )
  return lines.join('\n')
}
