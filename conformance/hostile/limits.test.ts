import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { listen, type RespServer } from '../../packages/yeoul/src/server/server.js'
import { RawClient, show } from '../resp/resp.js'
import { hasRedis, type RunningServer, startRedis } from '../servers.js'
import { encode } from './random-bytes.js'

/**
 * Sends bytes and an end marker; what came back, and whether the server closed before it answered the marker. A closed
 * connection with unread bytes is reset, which may take the refusal along: so `bytes` end where the breach is.
 */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  let received = ''
  const over = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (received.endsWith('$3\r\nend\r\n')) resolve(received.slice(0, -9))
    })
    socket.once('close', () => resolve(`${received}(closed)`))
  })
  socket.write(bytes, 'latin1')
  // The refusal comes before the marker is sent, or there is none.
  const settled = Promise.race([over, new Promise((resolve) => setTimeout(resolve, 50))])
  await settled
  if (!received.includes('Protocol error')) socket.write(encode(['ECHO', 'end']))
  const result = await over
  socket.destroy()
  return result
}

const long = (size: number) => 'x'.repeat(size)

/** Every limit of a request, at it and beyond it. */
const requests: [what: string, bytes: string][] = [
  ['multibulk count beyond an int', '*2147483648\r\n'],
  ['multibulk count that is no number', '*x\r\n'],
  ['negative and empty multibulk', '*-5\r\n*0\r\n'],
  ['bulk beyond proto-max-bulk-len', '*1\r\n$536870913\r\n'],
  ['negative bulk', '*1\r\n$-1\r\n'],
  ['no bulk', '*1\r\n:1\r\n'],
  ['inline beyond 64 kB', long(70_000)],
  ['count line beyond 64 kB', `*${'1'.repeat(70_000)}`],
  ['length line beyond 64 kB', `*1\r\n$${'1'.repeat(70_000)}`],
  ['unbalanced quotes', 'SET "a\r\n'],
  ['a browser posting', 'POST / HTTP/1.1\r\n'],
  ['a browser naming its host', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n'],
  ['database index', encode(['SELECT', '16']) + encode(['SELECT', '-1']) + encode(['SELECT', 'x'])],
  ['debug', encode(['DEBUG', 'SLEEP', '0'])],
  ['arity', encode(['XADD', 's']) + encode(['XGROUP', 'CREATE', 's']) + encode(['XGROUP'])],
  ['unknown command', encode(['nosuch', 'a', long(200), 'b'])],
  ['unknown command with a long name', encode([long(300), 'a'])],
  ['unknown subcommand', encode(['XGROUP', 'nosuch']) + encode(['CONFIG', long(300)])],
  ['a command that may not follow MULTI', encode(['MULTI']) + encode(['nosuch']) + encode(['EXEC'])],
  ['nested MULTI', encode(['MULTI']) + encode(['MULTI']) + encode(['WATCH', 'k']) + encode(['DISCARD'])],
  ['transaction commands outside', encode(['EXEC']) + encode(['DISCARD'])],
  ['HELLO', encode(['HELLO', '4']) + encode(['HELLO', 'x']) + encode(['HELLO', '3', 'NOSUCH'])],
  ['AUTH without a password set', encode(['AUTH', 'x']) + encode(['AUTH', 'nosuch', 'x'])],
  ['client names', encode(['CLIENT', 'SETNAME', 'a b']) + encode(['CLIENT', 'SETNAME', '\n'])],
  [
    'maxmemory',
    encode(['CONFIG', 'SET', 'maxmemory', '1']) +
      encode(['XADD', 's', '1-1', 'f', 'v']) +
      encode(['XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM']) +
      encode(['SET', 'k', 'v']) +
      encode(['XDEL', 'kept', '9-9']) +
      encode(['XLEN', 'kept']) +
      encode(['XTRIM', 'kept', 'MAXLEN', '10']) +
      encode(['CONFIG', 'SET', 'maxmemory', '0']) +
      encode(['CONFIG', 'SET', 'maxmemory', 'x']),
  ],
  [
    'a transaction beyond maxmemory',
    encode(['MULTI']) +
      encode(['XADD', 'kept', '2-1', 'f', 'v']) +
      encode(['CONFIG', 'SET', 'maxmemory', '1']) +
      encode(['EXEC']) +
      encode(['MULTI']) +
      encode(['XADD', 'kept', '3-1', 'f', 'v']) +
      encode(['EXEC']) +
      encode(['CONFIG', 'SET', 'maxmemory', '0']),
  ],
  [
    'a subscriber in RESP2',
    encode(['SUBSCRIBE', 'c']) + encode(['GET', 'k']) + encode(['XADD', 's', '*', 'f', 'v']) + encode(['UNSUBSCRIBE']),
  ],
]

/** Before AUTH. */
const strangers: [what: string, bytes: string][] = [
  ['a command', encode(['PING']) + encode(['XADD', 's', '*', 'f', 'v']) + encode(['SUBSCRIBE', 'c'])],
  ['ten arguments', encode(Array.from({ length: 10 }, () => 'x'))],
  ['eleven arguments', '*11\r\n'],
  ['a bulk of 16384', encode(['AUTH', long(16_384)])],
  ['a bulk of 16385', '*2\r\n$4\r\nAUTH\r\n$16385\r\n'],
  ['a wrong password', encode(['AUTH', 'x']) + encode(['AUTH', 'default', 'x']) + encode(['AUTH', 'nosuch', 'secret'])],
  ['HELLO without AUTH', encode(['HELLO', '3']) + encode(['HELLO', '2', 'AUTH', 'default', 'x'])],
  ['MULTI', encode(['MULTI']) + encode(['EXEC'])],
  ['RESET', encode(['RESET'])],
  ['a browser', 'POST / HTTP/1.1\r\n'],
]

describe.skipIf(!hasRedis())('E9 limits, beside redis-server 7.0', () => {
  let redis: RunningServer
  let engine: Engine
  let server: RespServer
  let sides: RawClient[]

  beforeAll(async () => {
    redis = await startRedis()
    engine = await Engine.open()
    server = await listen(engine, { port: 0 })
    sides = await Promise.all([RawClient.open(redis.port), RawClient.open(server.port)])
    for (const side of sides) await side.pipeline([['XADD', 'kept', '1-1', 'f', 'v']])
  })
  afterAll(async () => {
    for (const side of sides ?? []) side.close()
    await server?.close()
    await engine?.close()
    await redis?.stop()
  })

  test.each(requests)('%s', async (_, bytes) => {
    const [theirs, ours] = await Promise.all([exchange(redis.port, bytes), exchange(server.port, bytes)])
    expect(ours).toBe(theirs)
  })

  test('a transaction whose memory was used up after it was queued is dropped', async () => {
    const told: string[] = []
    for (const [i, { port }] of [redis, server].entries()) {
      const peer = await RawClient.open(port)
      await peer.pipeline([['MULTI'], ['XADD', 'kept', '9-1', 'f', 'v']])
      await sides[i].pipeline([['CONFIG', 'SET', 'maxmemory', '1']])
      const [refused, outside] = await peer.pipeline([['EXEC'], ['EXEC']])
      await sides[i].pipeline([['CONFIG', 'SET', 'maxmemory', '0']])
      told.push(`${show(refused)} ${show(outside)}`)
      peer.close()
    }
    expect(told[1]).toBe(told[0])
    expect(told[0]).toContain('EXECABORT')
  })

  test('policies that evict are refused', async () => {
    const [reply] = await sides[1].pipeline([['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru']])
    expect(show(reply)).toBe(
      '-"ERR CONFIG SET failed (possibly related to argument \'maxmemory-policy\') - argument(s) must be one of the following: noeviction"',
    )
  })

  test('the query buffer limit closes', async () => {
    for (const side of sides) {
      const [set] = await side.pipeline([['CONFIG', 'SET', 'client-query-buffer-limit', '1mb']])
      expect(show(set)).toBe('+"OK"')
    }
    const bytes = `*2\r\n$4\r\nECHO\r\n$3000000\r\n${long(2_000_000)}`
    const [theirs, ours] = await Promise.all([exchange(redis.port, bytes), exchange(server.port, bytes)])
    expect([theirs, ours]).toEqual(['(closed)', '(closed)'])
    for (const side of sides) await side.pipeline([['CONFIG', 'SET', 'client-query-buffer-limit', '1gb']])
  })

  test('proto-max-bulk-len is taken at run time', async () => {
    for (const side of sides) await side.pipeline([['CONFIG', 'SET', 'proto-max-bulk-len', '1mb']])
    for (const bytes of ['*2\r\n$4\r\nECHO\r\n$1048577\r\n', encode(['STRLEN', 'nosuch'])]) {
      const [theirs, ours] = await Promise.all([exchange(redis.port, bytes), exchange(server.port, bytes)])
      expect(ours).toBe(theirs)
    }
    for (const side of sides) await side.pipeline([['CONFIG', 'SET', 'proto-max-bulk-len', '512mb']])
  })

  describe('before AUTH', () => {
    beforeAll(async () => {
      for (const side of sides) await side.pipeline([['CONFIG', 'SET', 'requirepass', 'secret']])
    })

    test.each(strangers)('%s', async (_, bytes) => {
      // The marker is refused as well: it is told apart by what is behind it.
      const login = encode(['AUTH', 'secret'])
      const closes = /POST|\*11|16385/.test(bytes)
      const sent = closes ? bytes : bytes + login
      const [theirs, ours] = await Promise.all([exchange(redis.port, sent), exchange(server.port, sent)])
      // 7.2 names the version in this text.
      expect(ours.replace('HELLO <proto> AUTH', 'HELLO AUTH')).toBe(theirs)
    })
  })
})
