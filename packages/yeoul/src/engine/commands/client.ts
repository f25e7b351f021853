import type { Host } from '../host.js'
import type { Session } from '../session.js'
import { type Call, type Command, CommandError, type EngineState, notAnInteger, syntaxError } from './command.js'
import { validName } from './connection-name.js'
import { help } from './help.js'

/** One line of CLIENT LIST. `now` in ms since the epoch. */
export function describeClient(session: Session, now: number): string {
  const flags =
    (session.monitor ? 'O' : '') +
    (session.subscribed ? 'P' : '') +
    (session.transaction === undefined ? '' : 'x') +
    (session.parked === undefined ? '' : 'b') +
    (session.noEvict ? 'e' : '') +
    (session.noTouch ? 'T' : '') +
    (session.closing ? 'c' : '')
  const { peer } = session
  const output = peer?.outputBytes ?? 0
  const query = peer?.queryBytes ?? 0
  const fields: [string, string | number][] = [
    ['id', session.id],
    ['addr', session.address],
    ['laddr', session.localAddress],
    ['fd', -1],
    ['name', session.name],
    ['age', Math.max(0, Math.floor((now - session.createdAt) / 1000))],
    ['idle', Math.max(0, Math.floor((now - session.lastCommandAt) / 1000))],
    ['flags', flags === '' ? 'N' : flags],
    ['db', session.database],
    ['sub', session.channels.size],
    ['psub', session.patterns.size],
    ['ssub', session.shardChannels.size],
    ['multi', session.transaction?.queued.length ?? -1],
    ['watch', session.watched.length],
    ['qbuf', query],
    ['qbuf-free', 0],
    ['argv-mem', 0],
    ['multi-mem', session.transaction?.queued.reduce((sum, { bytes }) => sum + bytes.length, 0) ?? 0],
    ['rbs', session.output.bytes.length],
    ['rbp', session.output.bytes.length],
    ['obl', session.output.length],
    ['oll', output > 0 ? 1 : 0],
    ['omem', output],
    ['tot-mem', session.output.bytes.length + output + query],
    ['events', session.parked === undefined ? 'r' : ''],
    ['cmd', session.lastCommand],
    ['user', session.authenticated ? session.user : '(superuser)'],
    ['redir', -1],
    ['resp', session.output.protocol],
    ['lib-name', session.libraryName],
    ['lib-ver', session.libraryVersion],
  ]
  return fields.map(([name, value]) => `${name}=${value}`).join(' ')
}

type ClientType = 'normal' | 'master' | 'replica' | 'pubsub'

function clientType(word: string): ClientType {
  switch (word.toLowerCase()) {
    case 'normal':
    case 'master':
    case 'replica':
    case 'pubsub':
      return word.toLowerCase() as ClientType
    case 'slave':
      return 'replica'
  }
  throw new CommandError(`ERR Unknown client type '${word}'`)
}

function typeOf(session: Session): ClientType {
  return session.subscribed ? 'pubsub' : 'normal'
}

function clientId(text: string, error = 'ERR client-id should be greater than 0'): number {
  const id = /^[0-9]{1,15}$/.test(text) ? Number(text) : 0
  if (id <= 0) throw new CommandError(error)
  return id
}

/** The connections. Sessions of this process belong to the program around the engine, not to administrators. */
function connected(call: Call): Session[] {
  return [...call.engine.sessions.values()].filter((session) => session.peer !== undefined || session === call.session)
}

/** CLIENT LIST [TYPE normal|master|replica|pubsub] [ID id …] */
function list(call: Call): void {
  const { request, reply, now } = call
  let chosen = connected(call)
  for (let i = 2; i < request.count; i++) {
    if (request.is(i, 'TYPE') && i + 1 < request.count) {
      const type = clientType(request.string(++i))
      chosen = chosen.filter((session) => typeOf(session) === type)
    } else if (request.is(i, 'ID') && i + 1 < request.count) {
      const ids = new Set<number>()
      for (i++; i < request.count; i++) ids.add(clientId(request.string(i), 'ERR Invalid client ID'))
      chosen = chosen.filter((session) => ids.has(session.id))
    } else throw syntaxError()
  }
  reply.verbatim(chosen.map((session) => `${describeClient(session, now)}\n`).join(''))
}

/** CLIENT KILL addr | CLIENT KILL [ID id] [TYPE t] [USER u] [ADDR a] [LADDR a] [SKIPME yes|no] [MAXAGE s] … */
function kill(call: Call): void {
  const { request, reply, session: self, now, engine } = call
  if (request.count === 3) {
    const address = request.string(2)
    const victims = connected(call).filter((session) => session.address === address)
    if (victims.length === 0) throw new CommandError('ERR No such client')
    for (const victim of victims) end(victim, self)
    reply.ok()
    return
  }
  if (request.count % 2 !== 0) throw syntaxError()
  const tests: ((session: Session) => boolean)[] = []
  let skipSelf = true
  for (let i = 2; i < request.count; i += 2) {
    const value = request.string(i + 1)
    if (request.is(i, 'ID')) {
      const id = clientId(value)
      tests.push((session) => session.id === id)
    } else if (request.is(i, 'TYPE')) {
      const type = clientType(value)
      tests.push((session) => typeOf(session) === type)
    } else if (request.is(i, 'ADDR')) tests.push((session) => session.address === value)
    else if (request.is(i, 'LADDR')) tests.push((session) => session.localAddress === value)
    else if (request.is(i, 'USER')) {
      if (!engine.acl.users.has(value)) throw new CommandError(`ERR No such user '${value}'`)
      tests.push((session) => session.authenticated && session.user === value)
    } else if (request.is(i, 'MAXAGE')) {
      if (!/^[0-9]{1,12}$/.test(value)) throw new CommandError('ERR maxage is not an integer or out of range')
      if (Number(value) === 0) throw new CommandError('ERR maxage should be greater than 0')
      tests.push((session) => (now - session.createdAt) / 1000 >= Number(value))
    } else if (request.is(i, 'SKIPME')) {
      const word = value.toLowerCase()
      if (word !== 'yes' && word !== 'no') throw syntaxError()
      skipSelf = word === 'yes'
    } else throw syntaxError()
  }
  const victims = connected(call).filter(
    (session) => !(skipSelf && session === self) && tests.every((test) => test(session)),
  )
  for (const victim of victims) end(victim, self)
  reply.integer(victims.length)
}

/** Whoever kills itself still gets the reply. */
function end(victim: Session, self: Session): void {
  victim.closing = true
  if (victim !== self) victim.onClose(victim)
}

/** CLIENT REPLY ON|OFF|SKIP */
function replies({ session, request, reply }: Call): void {
  if (request.is(2, 'ON')) {
    session.replies = 'on'
    reply.ok()
  } else if (request.is(2, 'OFF')) session.replies = 'off'
  else if (request.is(2, 'SKIP')) {
    if (session.replies !== 'off') session.replies = 'skip'
  } else throw syntaxError()
}

/** CLIENT SETINFO LIB-NAME name | LIB-VER version */
function setInfo({ session, request, reply }: Call): void {
  const value = request.string(3)
  if (!request.is(2, 'LIB-NAME') && !request.is(2, 'LIB-VER')) {
    throw new CommandError(`ERR Unrecognized option '${request.string(2)}'`)
  }
  if (!validName(value)) {
    throw new CommandError(`ERR ${request.string(2)} cannot contain spaces, newlines or special characters.`)
  }
  if (request.is(2, 'LIB-NAME')) session.libraryName = value
  else session.libraryVersion = value
  reply.ok()
}

function setName({ session, request, reply }: Call): void {
  const name = request.string(2)
  if (!validName(name)) {
    throw new CommandError('ERR Client names cannot contain spaces, newlines or special characters.')
  }
  session.name = name
  reply.ok()
}

/** CLIENT PAUSE timeout [WRITE|ALL] */
function pause({ engine, request, reply, now }: Call): void {
  let mode: 'all' | 'write' = 'all'
  if (request.count === 4) {
    if (request.is(3, 'WRITE')) mode = 'write'
    else if (!request.is(3, 'ALL')) throw new CommandError('ERR CLIENT PAUSE mode must be WRITE or ALL')
  } else if (request.count > 4) throw syntaxError()
  const text = request.string(2)
  if (!/^-?[0-9]{1,15}$/.test(text)) throw new CommandError('ERR timeout is not an integer or out of range')
  if (text[0] === '-') throw new CommandError('ERR timeout is negative')
  served(engine).pause.start(mode, now + Number(text), now)
  reply.ok()
}

/** Only a server has connections to hold back. */
function served(engine: EngineState): Host {
  if (engine.host === undefined) throw new CommandError('ERR this engine is embedded and serves no connections')
  return engine.host
}

/** CLIENT UNBLOCK id [TIMEOUT|ERROR] */
function unblock({ engine, request, reply }: Call): void {
  let how: 'timeout' | 'error' = 'timeout'
  if (request.count === 4) {
    if (request.is(3, 'ERROR')) how = 'error'
    else if (!request.is(3, 'TIMEOUT')) {
      throw new CommandError('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
    }
  } else if (request.count > 4) throw syntaxError()
  const text = request.string(2)
  if (!/^-?[0-9]{1,15}$/.test(text)) throw notAnInteger()
  const target = engine.sessions.get(Number(text))
  reply.integer(target !== undefined && engine.blocked.unblock(target, how) ? 1 : 0)
}

function onOff(set: (session: Session, on: boolean) => void): (call: Call) => void {
  return ({ session, request, reply }) => {
    if (!request.is(2, 'ON') && !request.is(2, 'OFF')) throw syntaxError()
    set(session, request.is(2, 'ON'))
    reply.ok()
  }
}

const base = { keys: null, group: 'connection', complexity: 'O(1)', categories: ['slow', 'connection'] } as const
const plain = ['noscript', 'loading', 'stale'] as const
const admin = ['admin', 'noscript', 'loading', 'stale'] as const
const adminCategories = ['admin', 'slow', 'dangerous', 'connection'] as const

export const clientCommand: Command = {
  ...base,
  name: 'client',
  arity: -2,
  flags: [],
  since: '2.4.0',
  summary: 'A container for client connection commands.',
  complexity: 'Depends on subcommand.',
  categories: ['slow'],
  subcommands: [
    {
      ...base,
      name: 'getname',
      arity: 2,
      flags: plain,
      since: '2.6.9',
      summary: 'Returns the name of the connection.',
      handler: ({ session, reply }) => (session.name === '' ? reply.nil() : reply.bulk(session.name)),
    },
    {
      ...base,
      name: 'id',
      arity: 2,
      flags: plain,
      since: '5.0.0',
      summary: 'Returns the unique client ID of the connection.',
      handler: ({ session, reply }) => reply.integer(session.id),
    },
    {
      ...base,
      name: 'info',
      arity: 2,
      flags: plain,
      since: '6.2.0',
      summary: 'Returns information about the connection.',
      handler: ({ session, reply, now }) => reply.verbatim(`${describeClient(session, now)}\n`),
    },
    {
      ...base,
      name: 'kill',
      arity: -3,
      flags: admin,
      since: '2.4.0',
      summary: 'Terminates open connections.',
      complexity: 'O(N) where N is the number of client connections',
      categories: adminCategories,
      handler: kill,
    },
    {
      ...base,
      name: 'list',
      arity: -2,
      flags: admin,
      since: '2.4.0',
      summary: 'Lists open connections.',
      complexity: 'O(N) where N is the number of client connections',
      categories: adminCategories,
      handler: list,
    },
    {
      ...base,
      name: 'no-evict',
      arity: 3,
      flags: admin,
      since: '7.0.0',
      summary: 'Sets the client eviction mode of the connection.',
      categories: adminCategories,
      handler: onOff((session, on) => {
        session.noEvict = on
      }),
    },
    {
      ...base,
      name: 'no-touch',
      arity: 3,
      flags: plain,
      since: '7.2.0',
      summary: 'Controls whether commands sent by the client affect the LRU/LFU of accessed keys.',
      handler: onOff((session, on) => {
        session.noTouch = on
      }),
    },
    {
      ...base,
      name: 'pause',
      arity: -3,
      flags: admin,
      since: '3.0.0',
      summary: 'Suspends commands processing.',
      categories: adminCategories,
      handler: pause,
    },
    {
      ...base,
      name: 'reply',
      arity: 3,
      flags: plain,
      since: '3.2.0',
      summary: 'Instructs the server whether to reply to commands.',
      handler: replies,
    },
    {
      ...base,
      name: 'setinfo',
      arity: 4,
      flags: plain,
      since: '7.2.0',
      summary: 'Sets information specific to the client or connection.',
      handler: setInfo,
    },
    {
      ...base,
      name: 'setname',
      arity: 3,
      flags: plain,
      since: '2.6.9',
      summary: 'Sets the connection name.',
      handler: setName,
    },
    {
      ...base,
      name: 'unblock',
      arity: -3,
      flags: admin,
      since: '5.0.0',
      summary: 'Unblocks a client blocked by a blocking command from a different connection.',
      complexity: 'O(log N) where N is the number of client connections',
      categories: adminCategories,
      handler: unblock,
    },
    {
      ...base,
      name: 'unpause',
      arity: 2,
      flags: admin,
      since: '6.2.0',
      summary: 'Resumes processing commands from paused clients.',
      complexity: 'O(N) Where N is the number of paused clients',
      categories: adminCategories,
      handler: ({ engine, reply }) => {
        served(engine).pause.end()
        reply.ok()
      },
    },
    help('client', 'connection', '5.0.0', [
      'GETNAME',
      '    Return the name of the current connection.',
      'ID',
      '    Return the ID of the current connection.',
      'INFO',
      '    Return information about the current client connection.',
      'KILL <ip:port>',
      '    Kill connection made from <ip:port>.',
      'KILL <option> <value> [<option> <value> [...]]',
      '    Kill connections. Options are: ADDR, LADDR, TYPE, USER, SKIPME, ID, MAXAGE.',
      'LIST [options ...]',
      '    Return information about client connections. Options: TYPE, ID.',
      'NO-EVICT (ON|OFF)',
      '    Protect current client connection from eviction.',
      'NO-TOUCH (ON|OFF)',
      '    Reads of this connection do not touch the keys they read.',
      'PAUSE <timeout> [WRITE|ALL]',
      '    Suspend all, or just write, clients for <timeout> milliseconds.',
      'REPLY (ON|OFF|SKIP)',
      '    Control the replies sent to the current connection.',
      'SETINFO <option> <value>',
      '    Set client meta attributes: LIB-NAME, LIB-VER.',
      'SETNAME <name>',
      '    Assign the name <name> to the current connection.',
      'UNBLOCK <clientid> [TIMEOUT|ERROR]',
      '    Unblock the specified blocked client.',
      'UNPAUSE',
      '    Stop the current client pause, resuming traffic.',
    ]),
  ],
}
