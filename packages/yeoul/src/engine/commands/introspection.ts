import { glob } from '../glob.js'
import { type KeyFlags, keyFlags } from '../key-access.js'
import { keyPositions } from '../key-positions.js'
import type { Reply } from '../resp/reply.js'
import { Request } from '../resp/request.js'
import { type Call, type Command, CommandError, syntaxError } from './command.js'
import { help } from './help.js'
import { type Argument, argumentsOf } from './syntax.js'
import { tipsOf } from './tips.js'

/** A row by its wire name: `xadd`, or `xgroup|create`. */
function find(table: ReadonlyMap<string, Command>, name: string): { command: Command; parent?: Command } | undefined {
  const [word, sub, more] = name.toLowerCase().split('|')
  const command = table.get(word)
  if (command === undefined || more !== undefined) return undefined
  if (sub === undefined) return { command }
  const subcommand = command.subcommands?.find((each) => each.name === sub)
  return subcommand && { command: subcommand, parent: command }
}

function wireName(command: Command, parent: Command | undefined): string {
  return parent === undefined ? command.name : `${parent.name}|${command.name}`
}

/** Ten elements, as since Redis 7: name, arity, flags, first key, last key, step, categories, tips, key specs, subcommands. */
function describe(reply: Reply, command: Command, parent?: Command): void {
  const { keys } = command
  const fixed = keys !== null && typeof keys === 'object' ? keys : undefined
  const flags: readonly string[] =
    typeof keys === 'function' && !command.flags.includes('movablekeys')
      ? [...command.flags, 'movablekeys']
      : command.flags
  reply.array(10)
  reply.bulk(wireName(command, parent))
  reply.integer(command.arity)
  reply.set(flags.length)
  for (const flag of flags) reply.simple(flag)
  reply.integer(fixed?.first ?? 0)
  reply.integer(fixed?.last ?? 0)
  reply.integer(fixed?.step ?? 0)
  reply.set(command.categories.length)
  for (const category of command.categories) reply.simple(`@${category}`)
  const tips = tipsOf(wireName(command, parent))
  reply.set(tips.length)
  for (const tip of tips) reply.bulk(tip)
  describeKeys(reply, command, wireName(command, parent))
  const subcommands = command.subcommands ?? []
  reply.set(subcommands.length)
  for (const subcommand of subcommands) describe(reply, subcommand, command)
}

/** Where the word STREAMS is looked for, by command. */
const AFTER_STREAMS: Record<string, number | undefined> = { xread: 1, xreadgroup: 4 }

function describeKeys(reply: Reply, { name, keys, flags }: Command, fullName: string): void {
  if (keys === null) {
    reply.set(0)
    return
  }
  const access = keyFlags(fullName, flags.includes('write'))
  // Keys that are used each in its own way have a specification each.
  const apart = typeof keys === 'object' && access.length > 1
  reply.set(apart ? access.length : 1)
  for (let i = 0; i < (apart ? access.length : 1); i++) {
    reply.map(3)
    reply.bulk('flags')
    writeFlags(reply, access[i])
    if (typeof keys === 'object') describeIndex(reply, keys.first + i, apart ? 0 : lastOf(keys), keys.step)
    else describeMoving(reply, name)
  }
}

function writeFlags(reply: Reply, flags: KeyFlags): void {
  reply.set(flags.length)
  for (const flag of flags) reply.simple(flag)
}

/** Counted from the first key, or from the end where negative. */
function lastOf({ first, last }: { first: number; last: number }): number {
  return last < 0 ? last : last - first
}

function describeMoving(reply: Reply, name: string): void {
  reply.bulk('begin_search')
  reply.map(2)
  reply.bulk('type')
  const streams = AFTER_STREAMS[name]
  if (streams !== undefined) {
    // Half of what follows the word are keys: the rest are their IDs.
    reply.bulk('keyword')
    reply.bulk('spec')
    reply.map(2)
    reply.bulk('keyword')
    reply.bulk('STREAMS')
    reply.bulk('startfrom')
    reply.integer(streams)
    describeRange(reply, -1, 1, 2)
    return
  }
  // Where such keys begin depends on options; COMMAND GETKEYS answers for a given request.
  reply.bulk('unknown')
  reply.bulk('spec')
  reply.map(0)
  reply.bulk('find_keys')
  reply.map(2)
  reply.bulk('type')
  reply.bulk('unknown')
  reply.bulk('spec')
  reply.map(0)
}

function describeIndex(reply: Reply, index: number, last: number, step: number): void {
  reply.bulk('begin_search')
  reply.map(2)
  reply.bulk('type')
  reply.bulk('index')
  reply.bulk('spec')
  reply.map(1)
  reply.bulk('index')
  reply.integer(index)
  describeRange(reply, last, step, 0)
}

function describeRange(reply: Reply, last: number, step: number, limit: number): void {
  reply.bulk('find_keys')
  reply.map(2)
  reply.bulk('type')
  reply.bulk('range')
  reply.bulk('spec')
  reply.map(3)
  reply.bulk('lastkey')
  reply.integer(last)
  reply.bulk('keystep')
  reply.integer(step)
  reply.bulk('limit')
  reply.integer(limit)
}

function document(reply: Reply, command: Command, parent?: Command): void {
  const subcommands = command.subcommands ?? []
  const parts = argumentsOf(wireName(command, parent))
  reply.bulk(wireName(command, parent))
  reply.map(4 + (parts.length > 0 ? 1 : 0) + (subcommands.length > 0 ? 1 : 0))
  reply.bulk('summary')
  reply.bulk(command.summary)
  reply.bulk('since')
  reply.bulk(command.since)
  reply.bulk('group')
  reply.bulk(command.group)
  reply.bulk('complexity')
  reply.bulk(command.complexity)
  if (parts.length > 0) {
    reply.bulk('arguments')
    describeArguments(reply, parts)
  }
  if (subcommands.length > 0) {
    reply.bulk('subcommands')
    reply.map(subcommands.length)
    for (const subcommand of subcommands) document(reply, subcommand, command)
  }
}

function describeArguments(reply: Reply, parts: readonly Argument[]): void {
  reply.array(parts.length)
  for (const part of parts) describeArgument(reply, part)
}

function describeArgument(reply: Reply, part: Argument): void {
  const { kind, token, optional, multiple } = part
  const plain = kind !== 'oneof' && kind !== 'block' && kind !== 'pure-token'
  const flags = optional || multiple
  const isKey = kind === 'key'
  const fields = [plain, isKey, token !== undefined, flags, part.arguments !== undefined]
  reply.map(2 + fields.filter(Boolean).length)
  reply.bulk('name')
  reply.bulk(part.name)
  reply.bulk('type')
  reply.bulk(kind)
  if (plain) {
    reply.bulk('display_text')
    reply.bulk(part.name)
  }
  if (isKey) {
    reply.bulk('key_spec_index')
    reply.integer(0)
  }
  if (token !== undefined) {
    reply.bulk('token')
    reply.bulk(token)
  }
  if (flags) {
    reply.bulk('flags')
    reply.set((optional ? 1 : 0) + (multiple ? 1 : 0))
    if (optional) reply.simple('optional')
    if (multiple) reply.simple('multiple')
  }
  if (part.arguments !== undefined) {
    reply.bulk('arguments')
    describeArguments(reply, part.arguments)
  }
}

function all({ engine, reply }: Call): void {
  reply.array(engine.table.size)
  for (const command of engine.table.values()) describe(reply, command)
}

/** COMMAND INFO [name …] */
function info(call: Call): void {
  const { engine, request, reply } = call
  if (request.count === 2) {
    all(call)
    return
  }
  reply.array(request.count - 2)
  for (let i = 2; i < request.count; i++) {
    const found = find(engine.table, request.string(i))
    if (found === undefined) reply.nil()
    else describe(reply, found.command, found.parent)
  }
}

/** COMMAND DOCS [name …]: unknown names are left out */
function docs({ engine, request, reply }: Call): void {
  const found: { command: Command; parent?: Command }[] = []
  if (request.count === 2) for (const command of engine.table.values()) found.push({ command })
  for (let i = 2; i < request.count; i++) {
    const each = find(engine.table, request.string(i))
    if (each !== undefined) found.push(each)
  }
  reply.map(found.length)
  for (const { command, parent } of found) document(reply, command, parent)
}

/** COMMAND LIST [FILTERBY MODULE m | ACLCAT c | PATTERN p] */
function list({ engine, request, reply }: Call): void {
  const names: string[] = []
  let keep: (name: string, command: Command) => boolean = () => true
  if (request.count === 5 && request.is(2, 'FILTERBY')) {
    const value = request.string(4)
    if (request.is(3, 'MODULE')) keep = () => false
    else if (request.is(3, 'ACLCAT')) keep = (_, command) => command.categories.includes(value.toLowerCase())
    else if (request.is(3, 'PATTERN')) keep = (name) => glob(value, name, true)
    else throw syntaxError()
  } else if (request.count !== 2) throw syntaxError()
  for (const command of engine.table.values()) {
    if (keep(command.name, command)) names.push(command.name)
    if (request.count === 2) continue
    for (const subcommand of command.subcommands ?? []) {
      const name = wireName(subcommand, command)
      if (keep(name, subcommand)) names.push(name)
    }
  }
  reply.array(names.length)
  for (const name of names) reply.bulk(name)
}

/** COMMAND GETKEYS | GETKEYSANDFLAGS command [arg …] */
function getKeys(withFlags: boolean): (call: Call) => void {
  return ({ engine, request, reply }) => {
    const args: Buffer[] = []
    for (let i = 2; i < request.count; i++) args.push(request.copy(i))
    const row = engine.table.get(request.string(2).toLowerCase())
    const sub = row?.subcommands?.find(
      (each) => args.length > 1 && each.name === args[1].toString('latin1').toLowerCase(),
    )
    const command = sub ?? row
    if (command === undefined) throw new CommandError('ERR Invalid command specified')
    if (command.keys === null) throw new CommandError('ERR The command has no key arguments')
    if (command.arity > 0 ? args.length !== command.arity : args.length < -command.arity) {
      throw new CommandError('ERR Invalid number of arguments specified for command')
    }
    const positions = keyPositions(command.keys, Request.fromBuffers(args))
    if (positions.length === 0) throw new CommandError('ERR Invalid arguments specified for command')
    reply.array(positions.length)
    const access = keyFlags(wireName(command, sub && row), command.flags.includes('write'))
    for (const [nth, i] of positions.entries()) {
      if (withFlags) reply.array(2)
      reply.bulkBytes(args[i])
      if (withFlags) writeFlags(reply, access[Math.min(nth, access.length - 1)])
    }
  }
}

const base = {
  keys: null,
  group: 'server',
  flags: ['loading', 'stale'],
  categories: ['slow', 'connection'],
  since: '2.8.13',
} as const

export const introspectionCommands: readonly Command[] = [
  {
    ...base,
    name: 'command',
    arity: -1,
    summary: 'Returns detailed information about all commands.',
    complexity: 'O(N) where N is the total number of commands',
    handler: all,
    subcommands: [
      {
        ...base,
        name: 'count',
        arity: 2,
        summary: 'Returns a count of commands.',
        complexity: 'O(1)',
        handler: ({ engine, reply }) => reply.integer(engine.table.size),
      },
      {
        ...base,
        name: 'docs',
        arity: -2,
        since: '7.0.0',
        summary: 'Returns documentary information about one, multiple or all commands.',
        complexity: 'O(N) where N is the number of commands to look up',
        handler: docs,
      },
      {
        ...base,
        name: 'info',
        arity: -2,
        summary: 'Returns information about one, multiple or all commands.',
        complexity: 'O(N) where N is the number of commands to look up',
        handler: info,
      },
      {
        ...base,
        name: 'list',
        arity: -2,
        since: '7.0.0',
        summary: 'Returns a list of command names.',
        complexity: 'O(N) where N is the total number of commands',
        handler: list,
      },
      {
        ...base,
        name: 'getkeys',
        arity: -3,
        summary: 'Extracts the key names from an arbitrary command.',
        complexity: 'O(N) where N is the number of arguments to the command',
        handler: getKeys(false),
      },
      {
        ...base,
        name: 'getkeysandflags',
        arity: -3,
        since: '7.0.0',
        summary: 'Extracts the key names and access flags for an arbitrary command.',
        complexity: 'O(N) where N is the number of arguments to the command',
        handler: getKeys(true),
      },
      help('command', 'server', '5.0.0', [
        '(no subcommand)',
        '    Return details about all commands.',
        'COUNT',
        '    Return the total number of commands in this server.',
        'LIST',
        '    Return a list of all commands in this server.',
        'INFO [<command-name> ...]',
        '    Return details about multiple commands.',
        '    If no command names are given, documentation details for all',
        '    commands are returned.',
        'DOCS [<command-name> ...]',
        '    Return documentation details about multiple commands.',
        'GETKEYS <full-command>',
        '    Return the keys from a full command.',
        'GETKEYSANDFLAGS <full-command>',
        '    Return the keys and the access flags from a full command.',
      ]),
    ],
  },
]
