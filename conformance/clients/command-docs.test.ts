import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commands } from '../../packages/yeoul/src/engine/commands/index.js'
import { argumentsOf, SYNTAX, syntaxText } from '../../packages/yeoul/src/engine/commands/syntax.js'
import { RawClient, show, type Value } from '../resp/resp.js'
import { hasRedis, type RunningServer, startRedis } from '../servers.js'
import { type Served, startServed } from './served.js'

const names = commands.flatMap((command) => [
  command.name,
  ...(command.subcommands ?? []).map((sub) => `${command.name}|${sub.name}`),
])

/** What newer versions than 7.0 say otherwise, and what has no meaning here; each with its reason. */
const NEWER: Readonly<Record<string, string>> = {
  xadd: '8.2 KEEPREF…, 8.6 IDMP',
  xtrim: '8.2 KEEPREF…',
  xread: '8.10 MAXCOUNT, MAXSIZE',
  xreadgroup: '8.4 CLAIM, 8.10 MAXCOUNT, MAXSIZE',
  xgroup: '7.0 has no arguments for containers',
  zrank: '7.2 WITHSCORE',
  zrevrank: '7.2 WITHSCORE',
  'command|getkeys': '7.2 names its arguments',
  'command|getkeysandflags': '7.2 names its arguments',
  'object|freq': 'since: 7.2 corrects it',
  'object|help': 'since: 7.2 corrects it',
  'client|pause': 'since: 7.2 corrects it',
  ssubscribe: 'channels are no keys: their rights are those of channels',
  sunsubscribe: 'channels are no keys',
  spublish: 'channels are no keys',
  fcall: 'shown to MONITOR like any command',
  fcall_ro: 'shown to MONITOR like any command',
  'function|load': 'the one library is built in: refused, and so no write',
  'function|restore': 'the one library is built in',
  'function|kill': 'the one library is built in',
  wait: '7.2 calls it blocking',
  set: '7.0 takes GET with NX, later versions group it otherwise',
  psync: 'replication is refused',
  sync: 'replication is refused',
  replicaof: 'replication is refused',
  slaveof: 'replication is refused',
  save: 'snapshots are refused',
  bgsave: 'snapshots are refused',
  cluster: 'cluster mode is refused',
  eval: 'scripting is refused',
  evalsha: 'scripting is refused',
}
/** Flags that speak of machinery that is not here (scripts, snapshots, asynchronous loading). */
const UNSPOKEN = new Set(['noscript', 'no_async_loading', 'no_mandatory_keys', 'movablekeys', 'allow_busy', 'stale'])

type Described = { [name: string]: Value }

function items(value: Value | undefined): Value[] {
  return value !== undefined && 'items' in value ? value.items : []
}

function text(value: Value | undefined): string {
  return value !== undefined && 'text' in value ? value.text : ''
}

function map(value: Value): Described {
  const all = items(value)
  return Object.fromEntries(Array.from({ length: all.length / 2 }, (_, i) => [text(all[2 * i]), all[2 * i + 1]]))
}

/** An argument without the names of groups, which are free; the documentation's own names stay. */
function shape(value: Value): string {
  const { name, type, token, flags, arguments: inner } = map(value)
  const marks = items(flags).map(text)
  let body = `${text(name)}:${text(type)}`
  if (inner !== undefined) body = `${text(type)}(${items(inner).map(shape).join(' ')})`
  else if (text(type) === 'pure-token') body = ''
  // A block of one is that one.
  if (text(type) === 'block' && items(inner).length === 1) body = shape(items(inner)[0])
  if (token !== undefined) body = `${text(token)} ${body}`
  return `${body}${marks.includes('multiple') ? '+' : ''}${marks.includes('optional') ? '?' : ''}`
}

/** Where keys are and what is done with them; notes are for people. */
function specification(value: Value): string {
  const { flags, begin_search, find_keys } = map(value)
  return `${items(flags).map(text).sort().join(' ')} ${show(begin_search)} ${show(find_keys)}`
}

test('every command that takes arguments has a line of syntax, and every line has a command', () => {
  const bare = commands
    .flatMap((command) => [
      { ...command, full: command.name },
      ...(command.subcommands ?? []).map((sub) => ({ ...sub, full: `${command.name}|${sub.name}` })),
    ])
    .filter(({ handler, subcommands }) => handler !== undefined && subcommands === undefined)
    .filter(({ full, arity }) => Math.abs(arity) > full.split('|').length && SYNTAX[full] === undefined)
    .map(({ full }) => full)
  // Refused as a whole, whatever follows.
  expect(bare.filter((name) => !['debug', 'cluster'].includes(name))).toEqual([])
  for (const name of Object.keys(SYNTAX)) expect(argumentsOf(name).length, name).toBeGreaterThan(0)
  expect(syntaxText(argumentsOf('xadd'))).toBe(
    'key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO producer-id | IDMP producer-id idempotent-id] ' +
      '[<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]',
  )
})

describe.skipIf(!hasRedis())('E1 the command table beside that of redis-server 7.0', () => {
  let redis: RunningServer
  let served: Served
  let sides: RawClient[]
  let known: string[]

  beforeAll(async () => {
    redis = await startRedis()
    served = await startServed()
    sides = await Promise.all([RawClient.open(redis.port), RawClient.open(served.port)])
    for (const side of sides) await side.pipeline([['HELLO', '3']])
    const [docs] = await sides[0].pipeline([['COMMAND', 'DOCS', ...names]])
    known = names.filter((name) => map(docs)[name] !== undefined && NEWER[name] === undefined)
    expect(known.length).toBeGreaterThan(180)
  })
  afterAll(async () => {
    for (const side of sides ?? []) side.close()
    await served?.stop()
    await redis?.stop()
  })

  test('COMMAND DOCS: since, group, arguments', async () => {
    const [theirs, ours] = await Promise.all(
      sides.map(async (side) => map((await side.pipeline([['COMMAND', 'DOCS', ...known]]))[0])),
    )
    const shown = (docs: Described) =>
      known.map((name) => {
        const { since, group, arguments: parts } = map(docs[name])
        return `${name} since ${text(since)}, ${text(group)}: ${items(parts).map(shape).join(' ')}`
      })
    expect(shown(ours)).toEqual(shown(theirs))
  })

  test('COMMAND INFO: arity, flags, keys, categories, tips', async () => {
    const [theirs, ours] = await Promise.all(
      sides.map(async (side) => items((await side.pipeline([['COMMAND', 'INFO', ...known]]))[0])),
    )
    const shown = (rows: Value[]) =>
      rows.map((row) => {
        const [name, arity, flags, first, last, step, categories, tips, keys] = items(row)
        const set = (value: Value) => items(value).map(text).sort().join(' ')
        const spoken = items(flags)
          .map(text)
          .filter((flag) => !UNSPOKEN.has(flag))
        return (
          [name, arity, first, last, step].map(text).join(' ') +
          ` ${spoken.sort()} ${set(categories)} ${set(tips)} ${items(keys).map(specification)}`
        )
      })
    expect(shown(ours)).toEqual(shown(theirs))
  })
})
