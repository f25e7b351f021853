import { randomBytes } from 'node:crypto'
import { type Selector, selectorRules, User } from '../acl-user.js'
import type { Reply } from '../resp/reply.js'
import { Request } from '../resp/request.js'
import { type Call, type Command, CommandError } from './command.js'
import { help } from './help.js'

/** The categories that rows of the command table name, sorted. */
function categories({ engine }: Call): string[] {
  const found = new Set<string>()
  for (const command of engine.table.values()) {
    for (const category of command.categories) found.add(category)
    for (const subcommand of command.subcommands ?? []) {
      for (const category of subcommand.categories) found.add(category)
    }
  }
  return [...found].sort()
}

/** ACL CAT [category] */
function cat(call: Call): void {
  const { engine, request, reply } = call
  if (request.count > 3) throw wrongArguments(request)
  if (request.count === 2) {
    const all = categories(call)
    reply.array(all.length)
    for (const category of all) reply.bulk(category)
    return
  }
  const category = request.string(2).toLowerCase()
  if (!categories(call).includes(category)) throw new CommandError(`ERR Unknown category '${request.string(2)}'`)
  const found: string[] = []
  for (const command of engine.table.values()) {
    if (command.categories.includes(category)) found.push(command.name)
    for (const subcommand of command.subcommands ?? []) {
      if (subcommand.categories.includes(category)) found.push(`${command.name}|${subcommand.name}`)
    }
  }
  reply.array(found.length)
  for (const name of found) reply.bulk(name)
}

/** ACL SETUSER username [rule …]: all rules or none */
function setUser(call: Call): void {
  const { engine, request, reply } = call
  const name = request.string(2)
  if (/[\s\0]/.test(name)) throw new CommandError("ERR Usernames can't contain spaces or null characters")
  const present = engine.acl.users.get(name)
  const user = present?.clone() ?? new User(name)
  for (const rule of mergeSelectors(request)) {
    const words = rule[0] === '(' ? selectorRules(rule) : [rule]
    const refused = firstRefusal(words, (word) => unknownTarget(call, word)) ?? user.apply(rule)
    if (refused !== undefined) {
      throw new CommandError(`ERR Error in ACL SETUSER modifier '${rule}': ${refused}`)
    }
  }
  engine.acl.users.set(name, user)
  engine.acl.changed()
  reply.ok()
}

/** The rules of the request; a selector `(rule …)` may be spread over several arguments. */
function mergeSelectors(request: Request): string[] {
  const rules: string[] = []
  let open: string | undefined
  for (let i = 3; i < request.count; i++) {
    const word = request.string(i)
    if (open !== undefined) open += ` ${word}`
    else if (word[0] === '(') open = word
    else rules.push(word)
    if (open?.endsWith(')')) {
      rules.push(open)
      open = undefined
    }
  }
  if (open !== undefined) {
    throw new CommandError(`ERR Unmatched parenthesis in acl selector starting at '${open.split(' ')[0]}'.`)
  }
  return rules
}

function firstRefusal(words: readonly string[], judge: (word: string) => string | undefined): string | undefined {
  for (const word of words) {
    const refused = judge(word)
    if (refused !== undefined) return refused
  }
  return undefined
}

function unknownTarget(call: Call, rule: string): string | undefined {
  if (rule[0] !== '+' && rule[0] !== '-') return undefined
  const target = rule.slice(1).toLowerCase()
  if (target[0] === '@') {
    const known = target === '@all' || categories(call).includes(target.slice(1))
    return known ? undefined : 'Unknown command or category name in ACL'
  }
  const [name, sub, argument] = target.split('|')
  const command = call.engine.table.get(name)
  if (command === undefined) return 'Unknown command or category name in ACL'
  if (sub === undefined) return undefined
  if (command.subcommands === undefined) return 'Allowing first-arg of a command is not supported'
  if (!command.subcommands.some((each) => each.name === sub)) return 'Unknown command or category name in ACL'
  if (argument !== undefined) return 'Allowing first-arg of a subcommand is not supported'
  return undefined
}

/** ACL DELUSER username [username …]: connections of a deleted user are closed */
function deleteUser({ engine, request, reply, session }: Call): void {
  let removed = 0
  for (let i = 2; i < request.count; i++) {
    const name = request.string(i)
    if (name === 'default') throw new CommandError("ERR The 'default' user cannot be removed")
    if (!engine.acl.users.delete(name)) continue
    removed++
    for (const other of engine.sessions.values()) {
      if (other.user !== name) continue
      other.authenticated = false
      other.closing = true
      if (other !== session) other.onClose(other)
    }
  }
  reply.integer(removed)
}

/** ACL GETUSER username */
function getUser({ engine, request, reply }: Call): void {
  const user = engine.acl.users.get(request.string(2))
  if (user === undefined) {
    reply.nil()
    return
  }
  reply.map(6)
  reply.bulk('flags')
  reply.set(user.flags.length)
  for (const flag of user.flags) reply.bulk(flag)
  reply.bulk('passwords')
  reply.array(user.passwords.size)
  for (const password of user.passwords) reply.bulk(password)
  describeRights(reply, user)
  reply.bulk('selectors')
  reply.array(user.selectors.length)
  for (const selector of user.selectors) {
    reply.map(3)
    describeRights(reply, selector)
  }
}

function describeRights(reply: Reply, selector: Selector): void {
  reply.bulk('commands')
  reply.bulk(selector.commandRules)
  reply.bulk('keys')
  reply.bulk(selector.keyRules)
  reply.bulk('channels')
  reply.bulk(selector.channelRules)
}

/** ACL DRYRUN username command [arg …] */
function dryRun({ engine, request, reply }: Call): void {
  const user = engine.acl.users.get(request.string(2))
  if (user === undefined) throw new CommandError(`ERR User '${request.string(2)}' not found`)
  const row = engine.table.get(request.string(3).toLowerCase())
  if (row === undefined) throw new CommandError(`ERR Command '${request.string(3)}' not found`)
  const args: Buffer[] = []
  for (let i = 3; i < request.count; i++) args.push(request.copy(i))
  const sub = row.subcommands?.find((each) => args.length > 1 && each.name === args[1].toString('latin1').toLowerCase())
  const command = sub ?? row
  if (command.arity > 0 ? args.length !== command.arity : args.length < -command.arity) {
    throw new CommandError(`ERR wrong number of arguments for '${row.name}' command`)
  }
  const denied = engine.acl.denied(user, command, sub && row, Request.fromBuffers(args))
  if (denied === undefined) {
    reply.ok()
    return
  }
  const subject =
    denied.reason === 'command'
      ? `run the '${denied.object}' command`
      : `access the '${denied.object}' ${denied.reason}`
  reply.bulk(`User ${user.name} has no permissions to ${subject}`)
}

/** ACL LOG [count|RESET] */
function log({ engine, request, reply }: Call): void {
  if (request.count > 3) throw wrongArguments(request)
  if (request.count === 3 && request.is(2, 'RESET')) {
    engine.acl.forgetDenials()
    reply.ok()
    return
  }
  const text = request.count === 3 ? request.string(2) : '10'
  if (!/^[0-9]{1,9}$/.test(text)) throw new CommandError('ERR value is not an integer or out of range')
  const denials = engine.acl.denials(Number(text))
  const now = Date.now()
  reply.array(denials.length)
  for (const denial of denials) {
    reply.map(10)
    reply.bulk('count')
    reply.integer(denial.count)
    reply.bulk('reason')
    reply.bulk(denial.reason)
    reply.bulk('context')
    reply.bulk(denial.context)
    reply.bulk('object')
    reply.bulk(denial.object)
    reply.bulk('username')
    reply.bulk(denial.user)
    reply.bulk('age-seconds')
    reply.double((now - denial.createdAt) / 1000)
    reply.bulk('client-info')
    reply.bulk(denial.client)
    reply.bulk('entry-id')
    reply.integer(denial.id)
    reply.bulk('timestamp-created')
    reply.integer(denial.createdAt)
    reply.bulk('timestamp-last-updated')
    reply.integer(denial.updatedAt)
  }
}

/** ACL GENPASS [bits] */
function generatePassword({ request, reply }: Call): void {
  if (request.count > 3) throw wrongArguments(request)
  const text = request.count === 3 ? request.string(2) : '256'
  if (!/^-?[0-9]{1,9}$/.test(text)) throw new CommandError('ERR value is not an integer or out of range')
  const bits = Number(text)
  if (bits <= 0 || bits > 4096) {
    throw new CommandError(
      'ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096',
    )
  }
  const digits = Math.ceil(bits / 4)
  reply.bulk(
    randomBytes(Math.ceil(digits / 2))
      .toString('hex')
      .slice(0, digits),
  )
}

function wrongArguments(request: Request): CommandError {
  return new CommandError(
    `ERR unknown subcommand or wrong number of arguments for '${request.string(1)}'. Try ACL HELP.`,
  )
}

const base = {
  keys: null,
  group: 'server',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['admin', 'slow', 'dangerous'],
  complexity: 'O(N). Where N is the number of configured users.',
} as const
const open = { flags: ['noscript', 'loading', 'stale'], categories: ['slow'], complexity: 'O(1)' } as const

export const aclCommands: readonly Command[] = [
  {
    ...base,
    name: 'acl',
    arity: -2,
    flags: [],
    since: '6.0.0',
    summary: 'A container for Access List Control commands.',
    complexity: 'Depends on subcommand.',
    categories: ['slow'],
    subcommands: [
      {
        ...base,
        ...open,
        name: 'whoami',
        arity: 2,
        since: '6.0.0',
        summary: 'Returns the authenticated username of the current connection.',
        handler: ({ session, reply }) => reply.bulk(session.user),
      },
      {
        ...base,
        ...open,
        name: 'cat',
        arity: -2,
        since: '6.0.0',
        summary: 'Lists the ACL categories, or the commands inside a category.',
        handler: cat,
      },
      {
        ...base,
        ...open,
        name: 'genpass',
        arity: -2,
        since: '6.0.0',
        summary: 'Generates a pseudorandom, secure password that can be used to identify ACL users.',
        handler: generatePassword,
      },
      {
        ...base,
        name: 'users',
        arity: 2,
        since: '6.0.0',
        summary: 'Lists all ACL users.',
        handler: ({ engine, reply }) => {
          reply.array(engine.acl.users.size)
          for (const name of engine.acl.users.keys()) reply.bulk(name)
        },
      },
      {
        ...base,
        name: 'list',
        arity: 2,
        since: '6.0.0',
        summary: 'Dumps the effective rules in ACL file format.',
        handler: ({ engine, reply }) => {
          reply.array(engine.acl.users.size)
          for (const user of engine.acl.users.values()) reply.bulk(`user ${user.name} ${user.describe()}`)
        },
      },
      {
        ...base,
        name: 'getuser',
        arity: 3,
        since: '6.0.0',
        summary: 'Lists the ACL rules of a user.',
        complexity: 'O(N). Where N is the number of password, command and pattern rules that the user has.',
        handler: getUser,
      },
      {
        ...base,
        name: 'setuser',
        arity: -3,
        since: '6.0.0',
        summary: 'Creates and modifies an ACL user and its rules.',
        complexity: 'O(N). Where N is the number of rules provided.',
        handler: setUser,
      },
      {
        ...base,
        name: 'deluser',
        arity: -3,
        since: '6.0.0',
        summary: 'Deletes ACL users, and terminates their connections.',
        complexity: 'O(1) amortized time considering the typical user.',
        handler: deleteUser,
      },
      {
        ...base,
        name: 'dryrun',
        arity: -4,
        since: '7.0.0',
        summary: 'Simulates the execution of a command by a user, without executing the command.',
        complexity: 'O(1).',
        handler: dryRun,
      },
      {
        ...base,
        name: 'log',
        arity: -2,
        since: '6.0.0',
        summary: 'Lists recent security events generated due to ACL rules.',
        complexity: 'O(N) with N being the number of entries shown.',
        handler: log,
      },
      ...(['load', 'save'] as const).map(
        (name): Command => ({
          ...base,
          name,
          arity: 2,
          since: '6.0.0',
          summary:
            name === 'load'
              ? 'Reloads the rules from the configured ACL file.'
              : 'Saves the effective ACL rules in the configured ACL file.',
          handler: () => {
            throw new CommandError(
              'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ' +
                'ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file ' +
                'set) in order to store users in the Redis configuration.',
            )
          },
        }),
      ),
      help('acl', 'server', '6.0.0', [
        'CAT [<category>]',
        '    List all commands that belong to <category>, or all command categories',
        '    when no category is specified.',
        'DELUSER <username> [<username> ...]',
        '    Delete a list of users.',
        'DRYRUN <username> <command> [<arg> ...]',
        '    Returns whether the user can execute the given command without executing the command.',
        'GETUSER <username>',
        "    Get the user's details.",
        'GENPASS [<bits>]',
        '    Generate a secure 256-bit user password. The optional `bits` argument can',
        '    be used to specify a different size.',
        'LIST',
        '    Show users details in config file format.',
        'LOG [<count> | RESET]',
        '    Show the ACL log entries.',
        'SETUSER <username> <attribute> [<attribute> ...]',
        '    Create or modify a user with the specified attributes.',
        'USERS',
        '    List all the registered usernames.',
        'WHOAMI',
        '    Return the current connection username.',
      ]),
    ],
  },
]
