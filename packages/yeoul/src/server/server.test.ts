import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Engine } from '../engine/engine.js'
import { type ListenOptions, listen, type RespServer } from './server.js'

/** A peer that speaks bytes. */
class Wire {
  #received = ''
  readonly socket: net.Socket
  readonly closed: Promise<void>

  constructor(port: number, host = '127.0.0.1') {
    this.socket = net.connect({ port, host, allowHalfOpen: true })
    this.socket.on('error', () => {})
    this.socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1')
      this.socket.emit('more')
    })
    this.closed = new Promise((resolve) => {
      this.socket.on('end', () => {
        this.socket.end()
        resolve()
      })
      this.socket.on('close', () => resolve())
    })
  }

  /** Sends one command as RESP. */
  send(...args: (string | Buffer)[]): void {
    this.socket.write(encode(...args))
  }

  /** The next `length` bytes. */
  async bytes(length: number): Promise<string> {
    while (this.#received.length < length) await once(this.socket, 'more', { signal: AbortSignal.timeout(5000) })
    const taken = this.#received.slice(0, length)
    this.#received = this.#received.slice(length)
    return taken
  }

  /** Sends bytes or a command and expects exactly these bytes back. */
  async expect(command: string | string[], reply: string): Promise<void> {
    this.socket.write(typeof command === 'string' ? Buffer.from(command, 'latin1') : encode(...command))
    expect(await this.bytes(reply.length)).toBe(reply)
  }

  /** One whole reply, as text. */
  async reply(...args: string[]): Promise<string> {
    this.send(...args)
    const head = await this.line()
    if (head[0] === '$' || head[0] === '=') {
      const size = Number(head.slice(1))
      return size < 0 ? head : (await this.bytes(size + 2)).slice(0, -2)
    }
    return head
  }

  async line(): Promise<string> {
    let end: number
    while ((end = this.#received.indexOf('\r\n')) < 0) {
      await once(this.socket, 'more', { signal: AbortSignal.timeout(5000) })
    }
    return (await this.bytes(end + 2)).slice(0, -2)
  }

  get rest(): string {
    return this.#received
  }
}

function encode(...args: (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(arg, 'latin1')
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}

let engine: Engine
let server: RespServer
const peers: Wire[] = []

async function start(options: Partial<ListenOptions> = {}): Promise<void> {
  engine = await Engine.open()
  server = await listen(engine, { port: 0, ...options })
}

function peer(host?: string): Wire {
  const wire = new Wire(server.port, host)
  peers.push(wire)
  return wire
}

async function stop(): Promise<void> {
  for (const { socket } of peers.splice(0)) socket.destroy()
  await server.close()
  await engine.close()
}

describe('a server without a password', () => {
  beforeEach(() => start())
  afterEach(stop)

  test('E1 answers commands in RESP and typed by hand, in order', async () => {
    const wire = peer()
    await wire.expect('PING\r\n', '+PONG\r\n')
    await wire.expect(['PING', 'a\r\nb'], '$4\r\na\r\nb\r\n')
    await wire.expect(['ECHO', '\xff\0'], '$2\r\n\xff\0\r\n')
    await wire.expect(
      '*1\r\n$4\r\nPING\r\nECHO x\r\n*2\r\n$4\r\nECHO\r\n$1\r\ny\r\n',
      '+PONG\r\n$1\r\nx\r\n$1\r\ny\r\n',
    )
    await wire.expect(['nosuch', 'a'], "-ERR unknown command 'nosuch', with args beginning with: 'a' \r\n")
    await wire.expect(['ECHO'], "-ERR wrong number of arguments for 'echo' command\r\n")
  })

  test('E9 bytes may arrive one at a time', async () => {
    const wire = peer()
    const bytes = Buffer.concat([encode('XADD', 's', '1-1', 'f', 'v'), encode('XLEN', 's'), Buffer.from('PING\r\n')])
    wire.socket.setNoDelay(true)
    for (const byte of bytes) {
      await new Promise((resolve) => wire.socket.write(Buffer.from([byte]), resolve))
    }
    expect(await wire.bytes(20)).toBe('$3\r\n1-1\r\n:1\r\n+PONG\r\n')
  })

  test('E1 HELLO changes the protocol and names the server', async () => {
    const wire = peer()
    const id = await wire.reply('CLIENT', 'ID')
    const facts = (head: string, proto: number) =>
      `${head}$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n8.8.0\r\n$5\r\nproto\r\n:${proto}\r\n$2\r\nid\r\n${id}\r\n` +
      '$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n'
    await wire.expect(['HELLO'], facts('*14\r\n', 2))
    await wire.expect(['HELLO', '3', 'SETNAME', 'me'], facts('%7\r\n', 3))
    await wire.expect(['CLIENT', 'GETNAME'], '$2\r\nme\r\n')
    await wire.expect(['GET', 'none'], '_\r\n')
    await wire.expect(['HELLO', '4'], '-NOPROTO unsupported protocol version\r\n')
    await wire.expect(['HELLO', 'x'], '-ERR Protocol version is not an integer or out of range\r\n')
    await wire.expect(['HELLO', '2', 'NOPE'], "-ERR Syntax error in HELLO option 'NOPE'\r\n")
    await wire.expect(['RESET'], '+RESET\r\n')
    await wire.expect(['GET', 'none'], '$-1\r\n')
    await wire.expect(['CLIENT', 'GETNAME'], '$-1\r\n')
  })

  test('E1 QUIT answers and closes; what came behind it is not run', async () => {
    const wire = peer()
    wire.socket.write('QUIT\r\nSET k v\r\n')
    await wire.closed
    expect(wire.rest).toBe('+OK\r\n')
    await peer().expect(['EXISTS', 'k'], ':0\r\n')
  })

  test('a peer that closes its sending side still gets every reply', async () => {
    const wire = peer()
    wire.socket.end(Buffer.concat([encode('XADD', 's', '1-1', 'f', 'v'), encode('XLEN', 's')]))
    await wire.closed
    expect(wire.rest).toBe('$3\r\n1-1\r\n:1\r\n')
  })

  test('E1 a protocol error is told and closes the connection', async () => {
    const wire = peer()
    wire.socket.write('PING\r\n*1\r\n+x')
    await wire.closed
    expect(wire.rest).toBe("+PONG\r\n-ERR Protocol error: expected '$', got '+'\r\n")
  })

  test.each(['POST / HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /\r\nHost: 127.0.0.1\r\n\r\nFLUSHALL\r\n'])(
    'E9 a browser made to talk to the port is cut off: %j',
    async (bytes) => {
      await peer().expect(['SET', 'k', 'v'], '+OK\r\n')
      const wire = peer()
      wire.socket.write(bytes)
      await wire.closed
      await peer().expect(['EXISTS', 'k'], ':1\r\n')
    },
  )

  test('E11 commands behind a waiting read run when it was served', async () => {
    const reader = peer()
    reader.socket.write(Buffer.concat([encode('XREAD', 'BLOCK', '0', 'STREAMS', 's', '$'), encode('PING')]))
    const writer = peer()
    while (engine.blocked.count === 0) await new Promise(setImmediate)
    await writer.expect(['XADD', 's', '7-0', 'f', 'v'], '$3\r\n7-0\r\n')
    const served = '*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n7-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n+PONG\r\n'
    expect(await reader.bytes(served.length)).toBe(served)
  })

  test('E11 CLIENT UNBLOCK, and a reader that leaves', async () => {
    const reader = peer()
    const id = (await reader.reply('CLIENT', 'ID')).slice(1)
    const other = peer()
    for (const [how, reply] of [
      ['TIMEOUT', '*-1\r\n'],
      ['ERROR', '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n'],
    ]) {
      reader.send('XREAD', 'BLOCK', '0', 'STREAMS', 's', '$')
      while (engine.blocked.count === 0) await new Promise(setImmediate)
      await other.expect(['CLIENT', 'UNBLOCK', id, how], ':1\r\n')
      expect(await reader.bytes(reply.length)).toBe(reply)
    }
    await other.expect(['CLIENT', 'UNBLOCK', id], ':0\r\n')
    reader.send('XREAD', 'BLOCK', '0', 'STREAMS', 's', '$')
    while (engine.blocked.count === 0) await new Promise(setImmediate)
    reader.socket.destroy()
    while (engine.blocked.count > 0) await new Promise(setImmediate)
    expect([...engine.sessions.values()].every((session) => session.parked === undefined)).toBe(true)
  })

  test('E1 CLIENT LIST, KILL, REPLY, SETINFO', async () => {
    const [wire, other] = [peer(), peer()]
    await wire.expect(
      ['CLIENT', 'SETNAME', 'a b'],
      '-ERR Client names cannot contain spaces, newlines or special characters.\r\n',
    )
    await wire.expect(['CLIENT', 'SETNAME', 'first'], '+OK\r\n')
    await wire.expect(['CLIENT', 'SETINFO', 'LIB-NAME', 'lib'], '+OK\r\n')
    await wire.expect(['CLIENT', 'SETINFO', 'LIB-X', 'lib'], "-ERR Unrecognized option 'LIB-X'\r\n")
    const list = await other.reply('CLIENT', 'LIST')
    expect(list).toMatch(
      /id=\d+ addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+ .*name=first .*cmd=client\|setinfo .*lib-name=lib /,
    )
    expect(list.trimEnd().split('\n')).toHaveLength(2)
    wire.socket.write(
      Buffer.concat([
        encode('CLIENT', 'REPLY', 'OFF'),
        encode('PING'),
        encode('CLIENT', 'REPLY', 'ON'),
        encode('CLIENT', 'REPLY', 'SKIP'),
        encode('ECHO', 'skipped'),
        encode('ECHO', 'told'),
      ]),
    )
    expect(await wire.bytes(15)).toBe('+OK\r\n$4\r\ntold\r\n')
    await other.expect(['CLIENT', 'KILL', '1.2.3.4:5'], '-ERR No such client\r\n')
    await other.expect(['CLIENT', 'KILL', 'TYPE', 'pubsub'], ':0\r\n')
    await other.expect(['CLIENT', 'KILL', 'SKIPME', 'yes'], ':1\r\n')
    await wire.closed
    await other.expect(['CLIENT', 'NOSUCH'], "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.\r\n")
  })

  test('E1 CLIENT PAUSE WRITE holds writes back until UNPAUSE, reads go on', async () => {
    const [wire, other] = [peer(), peer()]
    await other.expect(['CLIENT', 'PAUSE', '100000', 'WRITE'], '+OK\r\n')
    wire.send('SET', 'k', 'v')
    wire.send('GET', 'k')
    await other.expect(['GET', 'k'], '$-1\r\n')
    await other.expect(['CLIENT', 'UNPAUSE'], '+OK\r\n')
    expect(await wire.bytes(12)).toBe('+OK\r\n$1\r\nv\r\n')
  })

  test('E1 MONITOR shows what others run, as one line each', async () => {
    const [watcher, other] = [peer(), peer()]
    await watcher.expect(['MONITOR'], '+OK\r\n')
    await other.expect(['SET', 'k', 'a"\n\xff'], '+OK\r\n')
    expect(await watcher.line()).toMatch(/^\+\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "SET" "k" "a\\"\\n\\xff"$/)
  })

  test('E1 CONFIG GET and SET: all or none', async () => {
    const wire = peer()
    await wire.expect(['CONFIG', 'GET', 'maxmemory-pol*'], '*2\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n')
    await wire.expect(['CONFIG', 'SET', 'maxmemory', '1gb', 'slowlog-max-len', '5'], '+OK\r\n')
    await wire.expect(['CONFIG', 'GET', 'maxmemory'], '*2\r\n$9\r\nmaxmemory\r\n$10\r\n1073741824\r\n')
    await wire.expect(
      ['CONFIG', 'SET', 'slowlog-max-len', '9', 'maxmemory-policy', 'allkeys-lru'],
      "-ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must be one of the following: noeviction\r\n",
    )
    await wire.expect(['CONFIG', 'GET', 'slowlog-max-len'], '*2\r\n$15\r\nslowlog-max-len\r\n$1\r\n5\r\n')
    await wire.expect(
      ['CONFIG', 'SET', 'port', '1'],
      "-ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config\r\n",
    )
    await wire.expect(
      ['CONFIG', 'SET', 'nosuch', '1'],
      "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n",
    )
  })

  test('E1 INFO sections and COMMAND come from what there is', async () => {
    const wire = peer()
    const info = await wire.reply('INFO')
    for (const line of [
      '# Server',
      'redis_version:8.8.0',
      'yeoul_version:',
      '# Clients',
      'connected_clients:1',
      'loading:0',
      'role:master',
    ]) {
      expect(info).toContain(line)
    }
    expect(info).not.toContain('# Commandstats')
    await wire.reply('SET', 'k', 'v')
    expect(await wire.reply('INFO', 'commandstats')).toMatch(
      /cmdstat_set:calls=1,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=0/,
    )
    expect(await wire.reply('INFO', 'keyspace')).toContain('db0:keys=1,expires=0')
    await wire.expect(['COMMAND', 'COUNT'], `:${engine.table.size}\r\n`)
    await wire.expect(['COMMAND', 'GETKEYS', 'XREAD', 'STREAMS', 'a', 'b', '0', '0'], '*2\r\n$1\r\na\r\n$1\r\nb\r\n')
    await wire.expect(['COMMAND', 'GETKEYS', 'PING'], '-ERR The command has no key arguments\r\n')
    await wire.expect(['COMMAND', 'INFO', 'nosuch'], '*1\r\n$-1\r\n')
    expect(await wire.reply('COMMAND', 'LIST')).toBe(`*${engine.table.size}`)
  })

  test('E9 beyond maxclients a peer is told and closed', async () => {
    const wire = peer()
    await wire.expect(['CONFIG', 'SET', 'maxclients', '2'], '+OK\r\n')
    await peer().expect(['PING'], '+PONG\r\n')
    const third = peer()
    await third.closed
    expect(third.rest).toBe('-ERR max number of clients reached\r\n')
    expect(engine.stats.rejectedConnections).toBe(1)
  })

  test('an idle peer is closed after `timeout` seconds, a subscriber is not', async () => {
    const [idle, subscriber, wire] = [peer(), peer(), peer()]
    await idle.expect(['PING'], '+PONG\r\n')
    await subscriber.expect(['SUBSCRIBE', 'c'], '*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n')
    await wire.expect(['CONFIG', 'SET', 'timeout', '1'], '+OK\r\n')
    await idle.closed
    await subscriber.expect(['PING'], '*2\r\n$4\r\npong\r\n$0\r\n\r\n')
  })

  test('close lets replies leave, ends waiting readers and frees the port', async () => {
    const [reader, wire] = [peer(), peer()]
    reader.send('XREAD', 'BLOCK', '0', 'STREAMS', 's', '$')
    while (engine.blocked.count === 0) await new Promise(setImmediate)
    await wire.expect(['PING'], '+PONG\r\n')
    const { port } = server
    await server.close()
    await Promise.all([reader.closed, wire.closed])
    expect(engine.blocked.count).toBe(0)
    expect(engine.sessions.size).toBe(0)
    server = await listen(engine, { port })
    await peer().expect(['PING'], '+PONG\r\n')
  })
})

describe('a server with a password', () => {
  beforeEach(() => start({ requirepass: 'secret' }))
  afterEach(stop)

  test('E9 before AUTH only AUTH, HELLO, QUIT and RESET run', async () => {
    const wire = peer()
    await wire.expect(['PING'], '-NOAUTH Authentication required.\r\n')
    await wire.expect(['AUTH', 'wrong'], '-WRONGPASS invalid username-password pair or user is disabled.\r\n')
    expect(await wire.reply('HELLO', '3')).toMatch(
      /^-NOAUTH HELLO must be called with the client already authenticated/,
    )
    await wire.expect(['AUTH', 'secret'], '+OK\r\n')
    await wire.expect(['PING'], '+PONG\r\n')
    await wire.expect(['RESET'], '+RESET\r\n')
    await wire.expect(['PING'], '-NOAUTH Authentication required.\r\n')
    expect(await wire.reply('HELLO', '3', 'AUTH', 'default', 'secret')).toBe('%7')
  })

  test('E9 before AUTH requests are small, afterwards they are not', async () => {
    const small = peer()
    small.socket.write('*11\r\n')
    await small.closed
    expect(small.rest).toBe('-ERR Protocol error: unauthenticated multibulk length\r\n')
    const wire = peer()
    await wire.expect(['AUTH', 'secret'], '+OK\r\n')
    const large = 'x'.repeat(100_000)
    await wire.expect(['ECHO', large], `$100000\r\n${large}\r\n`)
  })

  test('a command pipelined behind AUTH has its rights', async () => {
    const wire = peer()
    const large = 'x'.repeat(20_000)
    wire.socket.write(Buffer.concat([encode('AUTH', 'secret'), encode('ECHO', large)]))
    expect(await wire.bytes(20_015)).toBe(`+OK\r\n$20000\r\n${large}\r\n`)
  })

  test('ACL users may do what their rules say, and nothing else', async () => {
    const admin = peer()
    await admin.expect(['AUTH', 'secret'], '+OK\r\n')
    await admin.expect(
      ['ACL', 'SETUSER', 'kim', 'on', '>pw', '~orders:*', '&news.*', '+@stream', '+@pubsub', '-xdel', '+ping'],
      '+OK\r\n',
    )
    const kim = peer()
    await kim.expect(['AUTH', 'kim', 'nope'], '-WRONGPASS invalid username-password pair or user is disabled.\r\n')
    await kim.expect(['AUTH', 'kim', 'pw'], '+OK\r\n')
    await kim.expect(['XADD', 'orders:1', '1-1', 'f', 'v'], '$3\r\n1-1\r\n')
    await kim.expect(['XADD', 'other', '1-1', 'f', 'v'], '-NOPERM No permissions to access a key\r\n')
    await kim.expect(['XDEL', 'orders:1', '1-1'], "-NOPERM User kim has no permissions to run the 'xdel' command\r\n")
    await kim.expect(['CONFIG', 'GET', '*'], "-NOPERM User kim has no permissions to run the 'config|get' command\r\n")
    await kim.expect(['PUBLISH', 'news.kr', 'x'], ':0\r\n')
    await kim.expect(['SUBSCRIBE', 'secret'], '-NOPERM No permissions to access a channel\r\n')
    await kim.expect(['PSUBSCRIBE', 'news.?'], '-NOPERM No permissions to access a channel\r\n')
    await admin.expect(['ACL', 'DRYRUN', 'kim', 'XLEN', 'orders:2'], '+OK\r\n')
    expect(await admin.reply('ACL', 'DRYRUN', 'kim', 'GET', 'orders:2')).toBe(
      "User kim has no permissions to run the 'get' command",
    )
    await admin.expect(['ACL', 'WHOAMI'], '$7\r\ndefault\r\n')
    await admin.expect(['ACL', 'USERS'], '*2\r\n$7\r\ndefault\r\n$3\r\nkim\r\n')
    expect(engine.acl.denials(10).map(({ reason, object }) => [reason, object])).toEqual([
      ['channel', 'news.?'],
      ['channel', 'secret'],
      ['command', 'config|get'],
      ['command', 'xdel'],
      ['key', 'other'],
      ['auth', 'AUTH'],
    ])
    await admin.expect(['ACL', 'DELUSER', 'kim'], ':1\r\n')
    await kim.closed
  })
})

test('E3 WAITAOF answers when what was written before is on the disk', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'yeoul-waitaof-'))
  engine = await Engine.open({ directory, appendfsync: 'no' })
  server = await listen(engine, { port: 0 })
  try {
    const wire = peer()
    await wire.expect(['WAITAOF', '1', '0', '0'], '*2\r\n:1\r\n:0\r\n')
    wire.socket.write(
      Buffer.concat([encode('XADD', 's', '1-1', 'f', 'v'), encode('WAITAOF', '1', '0', '0'), encode('PING')]),
    )
    expect(await wire.bytes(28)).toBe('$3\r\n1-1\r\n*2\r\n:1\r\n:0\r\n+PONG\r\n')
    expect(engine.log!.synced).toBe(engine.log!.written)
    await wire.expect(['WAITAOF', '2', '0', '0'], '-ERR value is out of range, value must between 0 and 1\r\n')
  } finally {
    await stop()
    await rm(directory, { recursive: true })
  }
})

test('serves TLS, and turns away peers without the demanded certificate', async ({ skip }) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'yeoul-tls-'))
  const [key, cert] = [path.join(directory, 'key.pem'), path.join(directory, 'cert.pem')]
  try {
    // biome-ignore format: one option a pair
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=yeoul'], { stdio: 'ignore' })
  } catch {
    skip('openssl is not installed')
  }
  const pair = { key: await readFile(key), cert: await readFile(cert) }
  await start({ tls: { ...pair, ca: pair.cert, requestCert: true, rejectUnauthorized: true } })
  try {
    const trusted = tls.connect({ port: server.port, host: '127.0.0.1', ca: pair.cert, ...pair, servername: 'yeoul' })
    trusted.write('PING\r\n')
    const [answer] = await once(trusted, 'data')
    expect(String(answer)).toBe('+PONG\r\n')
    trusted.destroy()
    const stranger = tls.connect({ port: server.port, host: '127.0.0.1', ca: pair.cert, servername: 'yeoul' })
    stranger.on('error', () => {})
    stranger.write('PING\r\n')
    stranger.on('data', () => expect.unreachable())
    await new Promise((resolve) => stranger.once('close', resolve))
  } finally {
    await stop()
    await rm(directory, { recursive: true })
  }
})

test('E9 without a password other machines are turned away', async ({ skip }) => {
  const address = Object.values(os.networkInterfaces())
    .flat()
    .find((each) => each !== undefined && each.family === 'IPv4' && !each.internal)?.address
  if (address === undefined) skip('this machine has no address but loopback')
  await start({ host: '0.0.0.0' })
  try {
    const stranger = peer(address)
    await stranger.closed
    expect(stranger.rest).toMatch(/^-DENIED /)
    await peer().expect(['CONFIG', 'SET', 'protected-mode', 'no'], '+OK\r\n')
    await peer(address).expect(['PING'], '+PONG\r\n')
  } finally {
    await stop()
  }
})
