import { glob } from '../glob.js'
import type { Request } from '../resp/request.js'
import { parseInteger } from './arguments.js'
import { type Call, type Command, CommandError, syntaxError } from './command.js'
import { type BuiltInFunction, builtInFunctions, FunctionArguments } from './function-steps.js'
import { help } from './help.js'

const LIBRARY = 'yeoul'
const NO_LUA = "ERR this server runs no Lua: functions cannot be loaded, the library 'yeoul' is built in"

const byName = new Map(builtInFunctions.map((one) => [one.name, one]))

/** FCALL function numkeys [key …] [arg …]; FCALL_RO takes only functions that write nothing. */
function call({ engine, database, request, reply, now }: Call, readOnly: boolean): void {
  const built = byName.get(request.string(1))
  if (built === undefined) throw new CommandError('ERR Function not found')
  const count = parseInteger(request.string(2))
  if (count === undefined) throw new CommandError('ERR Bad number of keys provided')
  if (count > BigInt(request.count - 3)) {
    throw new CommandError("ERR Number of keys can't be greater than number of args")
  }
  if (count < 0n) throw new CommandError("ERR Number of keys can't be negative")
  if (readOnly && !built.readOnly) {
    throw new CommandError('ERR Can not execute a script with write flag using *_ro command.')
  }
  checkShape(built, Number(count), request.count - 3 - Number(count))
  if (!built.readOnly) {
    const { maxmemory } = engine.config
    if (!built.allowOom && maxmemory > 0 && engine.usedMemory() > maxmemory) {
      throw new CommandError("OOM command not allowed when used memory > 'maxmemory'.")
    }
    const failure = engine.log?.failure
    if (failure !== undefined) throw new CommandError(`MISCONF Errors writing to the AOF file: ${failure.message}`)
  }
  const first = 3 + Number(count)
  const keys: string[] = []
  for (let i = 3; i < first; i++) keys.push(request.string(i))
  const args = new FunctionArguments(request, first)
  engine.transaction(() => built.run({ engine, database, now }, keys, args, reply))
}

function checkShape({ name, keys, arguments: least }: BuiltInFunction, given: number, args: number): void {
  if (keys < 0 ? given === 0 : given !== keys) {
    throw new CommandError(`ERR ${name} takes ${keys < 0 ? 'at least one key' : `${keys} key(s)`}, not ${given}`)
  }
  if (args < least)
    throw new CommandError(`ERR ${name} takes at least ${least} argument(s) behind its keys, not ${args}`)
}

function keyPositions(request: Request): number[] {
  const count = request.count > 2 ? Number(parseInteger(request.string(2)) ?? 0n) : 0
  const positions: number[] = []
  for (let i = 3; i < 3 + count && i < request.count; i++) positions.push(i)
  return positions
}

/** FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE] */
function list({ request, reply }: Call): void {
  let pattern: string | undefined
  let withCode = false
  for (let i = 2; i < request.count; i++) {
    if (request.is(i, 'WITHCODE') && !withCode) withCode = true
    else if (request.is(i, 'LIBRARYNAME') && pattern === undefined && i + 1 < request.count)
      pattern = request.string(++i)
    else throw syntaxError()
  }
  if (pattern !== undefined && !glob(pattern, LIBRARY)) {
    reply.array(0)
    return
  }
  reply.array(1)
  reply.map(withCode ? 4 : 3)
  reply.bulk('library_name')
  reply.bulk(LIBRARY)
  reply.bulk('engine')
  reply.bulk('YEOUL')
  reply.bulk('functions')
  reply.array(builtInFunctions.length)
  for (const { name, description, readOnly, allowOom } of builtInFunctions) {
    reply.map(3)
    reply.bulk('name')
    reply.bulk(name)
    reply.bulk('description')
    reply.bulk(description)
    reply.bulk('flags')
    const flags = [readOnly ? 'no-writes' : '', allowOom ? 'allow-oom' : ''].filter((flag) => flag !== '')
    reply.set(flags.length)
    for (const flag of flags) reply.simple(flag)
  }
  if (withCode) {
    reply.bulk('library_code')
    reply.bulk('built in')
  }
}

/** FUNCTION STATS: nothing ever runs when this is answered. */
function stats({ reply }: Call): void {
  reply.map(2)
  reply.bulk('running_script')
  reply.nil()
  reply.bulk('engines')
  reply.map(1)
  reply.bulk('YEOUL')
  reply.map(2)
  reply.bulk('libraries_count')
  reply.integer(1)
  reply.bulk('functions_count')
  reply.integer(builtInFunctions.length)
}

const base = { keys: null, group: 'scripting', since: '7.0.0', categories: ['slow', 'scripting'] } as const

function refusing(name: string, arity: number, summary: string, text: string): Command {
  return {
    ...base,
    name,
    arity,
    flags: ['noscript', 'write'],
    summary,
    complexity: 'O(1)',
    categories: ['write', 'slow', 'scripting'],
    handler: () => {
      throw new CommandError(text)
    },
  }
}

export const functionCommands: readonly Command[] = [
  {
    ...base,
    name: 'fcall',
    arity: -3,
    // What may not run while the log fails or memory is short is decided function by function.
    flags: ['noscript', 'movablekeys'],
    keys: keyPositions,
    summary: 'Invokes a function.',
    complexity: 'Depends on the function that is executed.',
    handler: (it) => call(it, false),
  },
  {
    ...base,
    name: 'fcall_ro',
    arity: -3,
    flags: ['noscript', 'movablekeys', 'readonly'],
    keys: keyPositions,
    summary: 'Invokes a read-only function.',
    complexity: 'Depends on the function that is executed.',
    handler: (it) => call(it, true),
  },
  {
    ...base,
    name: 'function',
    arity: -2,
    flags: [],
    categories: ['slow'],
    summary: 'A container for function commands.',
    complexity: 'Depends on subcommand.',
    subcommands: [
      {
        ...base,
        name: 'list',
        arity: -2,
        flags: ['noscript'],
        summary: 'Returns information about all libraries.',
        complexity: 'O(N) where N is the number of functions',
        handler: list,
      },
      {
        ...base,
        name: 'stats',
        arity: 2,
        flags: ['noscript', 'allow_busy'],
        summary: 'Returns information about a function during execution.',
        complexity: 'O(1)',
        handler: stats,
      },
      refusing('load', -3, 'Creates a library.', NO_LUA),
      refusing('restore', -3, 'Restores all libraries from a payload.', NO_LUA),
      refusing('delete', 3, 'Deletes a library and its functions.', "ERR the library 'yeoul' is built in and stays"),
      refusing('flush', -2, 'Deletes all libraries and functions.', "ERR the library 'yeoul' is built in and stays"),
      refusing('kill', 2, 'Terminates a function during execution.', 'NOTBUSY No scripts in execution right now.'),
      help('function', 'scripting', '7.0.0', [
        'LIST [LIBRARYNAME <pattern>] [WITHCODE]',
        '    Return general information on all the libraries.',
        'STATS',
        '    Return information about the current function running.',
      ]),
    ],
  },
]
