import { REDIS_VERSION } from '../version.js'
import { clientCommand } from './client.js'
import { type Call, type Command, CommandError, syntaxError } from './command.js'
import { validName } from './connection-name.js'
import { discard } from './transactions.js'

/** Codes are for scripts; the text names no more than Redis does: not whether the name or the password was wrong. */
const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.'
const NOT_AUTHENTICATED =
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> ' +
  'option can be used to authenticate the client and select the RESP protocol version at the same time'

/** HELLO [protover [AUTH username password] [SETNAME clientname]] */
function hello({ engine, session, request, reply }: Call): void {
  let protocol: 2 | 3 = reply.protocol
  let credentials: { user: string; password: string } | undefined
  let name: string | undefined
  if (request.count > 1) {
    const version = request.string(1)
    if (!/^-?[0-9]{1,18}$/.test(version)) {
      throw new CommandError('ERR Protocol version is not an integer or out of range')
    }
    if (version !== '2' && version !== '3') throw new CommandError('NOPROTO unsupported protocol version')
    protocol = version === '3' ? 3 : 2
  }
  for (let i = 2; i < request.count; i++) {
    if (request.is(i, 'AUTH') && i + 2 < request.count) {
      credentials = { user: request.string(i + 1), password: request.string(i + 2) }
      i += 2
    } else if (request.is(i, 'SETNAME') && i + 1 < request.count) {
      name = request.string(++i)
      if (!validName(name)) {
        throw new CommandError('ERR Client names cannot contain spaces, newlines or special characters.')
      }
    } else throw new CommandError(`ERR Syntax error in HELLO option '${request.string(i)}'`)
  }
  if (credentials !== undefined && !engine.acl.authenticate(session, credentials.user, credentials.password)) {
    throw new CommandError(WRONG_PASSWORD)
  }
  if (!session.authenticated) throw new CommandError(NOT_AUTHENTICATED)
  if (name !== undefined) session.name = name
  reply.protocol = protocol
  reply.map(7)
  reply.bulk('server')
  reply.bulk('redis')
  reply.bulk('version')
  reply.bulk(REDIS_VERSION)
  reply.bulk('proto')
  reply.integer(protocol)
  reply.bulk('id')
  reply.integer(session.id)
  reply.bulk('mode')
  reply.bulk('standalone')
  reply.bulk('role')
  reply.bulk('master')
  reply.bulk('modules')
  reply.array(0)
}

/** AUTH [username] password */
function auth({ engine, session, request, reply }: Call): void {
  if (request.count > 3) throw syntaxError()
  if (request.count === 2 && engine.acl.default.nopass) {
    throw new CommandError(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    )
  }
  const user = request.count === 3 ? request.string(1) : 'default'
  if (!engine.acl.authenticate(session, user, request.string(request.count - 1))) {
    throw new CommandError(WRONG_PASSWORD)
  }
  reply.ok()
}

/** PING [message] */
function ping({ session, request, reply }: Call): void {
  if (request.count > 2) throw new CommandError("ERR wrong number of arguments for 'ping' command")
  if (session.subscribed && reply.protocol === 2) {
    reply.array(2)
    reply.bulk('pong')
    if (request.count === 2) reply.bulkBytes(request.view(1))
    else reply.bulk('')
  } else if (request.count === 2) reply.bulkBytes(request.view(1))
  else reply.simple('PONG')
}

/** RESET: the connection is as new: no transaction, subscriptions, name; database 0, RESP2, unauthenticated if a password is set. */
function reset({ engine, session, reply }: Call): void {
  discard(session)
  engine.pubsub.drop(session)
  engine.monitors.remove(session)
  session.database = 0
  session.name = ''
  session.user = 'default'
  session.authenticated = engine.acl.openToAll
  session.replies = 'on'
  session.noEvict = false
  session.noTouch = false
  reply.protocol = 2
  reply.simple('RESET')
}

const base = { keys: null, group: 'connection', complexity: 'O(1)' } as const

export const connectionCommands: readonly Command[] = [
  {
    ...base,
    name: 'hello',
    arity: -1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
    since: '6.0.0',
    summary: 'Handshakes with the server.',
    categories: ['fast', 'connection'],
    handler: hello,
  },
  {
    ...base,
    name: 'auth',
    arity: -2,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
    since: '1.0.0',
    summary: 'Authenticates the connection.',
    complexity: 'O(N) where N is the number of passwords defined for the user',
    categories: ['fast', 'connection'],
    handler: auth,
  },
  {
    ...base,
    name: 'ping',
    arity: -1,
    flags: ['fast'],
    since: '1.0.0',
    summary: "Returns the server's liveliness response.",
    categories: ['fast', 'connection'],
    handler: ping,
  },
  {
    ...base,
    name: 'echo',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    since: '1.0.0',
    summary: 'Returns the given string.',
    categories: ['fast', 'connection'],
    handler: ({ request, reply }) => reply.bulkBytes(request.view(1)),
  },
  {
    ...base,
    name: 'quit',
    arity: -1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
    since: '1.0.0',
    summary: 'Closes the connection.',
    categories: ['fast', 'connection'],
    handler: ({ session, reply }) => {
      reply.ok()
      session.closing = true
    },
  },
  {
    ...base,
    name: 'reset',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
    since: '6.2.0',
    summary: 'Resets the connection.',
    categories: ['fast', 'connection'],
    handler: reset,
  },
  clientCommand,
]
