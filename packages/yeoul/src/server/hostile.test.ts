import { once } from 'node:events'
import net from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Engine } from '../engine/engine.js'
import { OUTPUT_AHEAD } from './limits.js'
import { listen, type RespServer } from './server.js'

let engine: Engine
let server: RespServer
const sockets: net.Socket[] = []

beforeEach(async () => {
  engine = await Engine.open()
  server = await listen(engine, { port: 0 })
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close()
  await engine.close()
})

async function connect(): Promise<net.Socket> {
  const socket = net.connect(server.port, '127.0.0.1')
  socket.on('error', () => {})
  sockets.push(socket)
  await once(socket, 'connect')
  return socket
}

/** Sends bytes and collects until `length` bytes came back. */
async function exchange(socket: net.Socket, bytes: string, length: number): Promise<string> {
  let received = ''
  const whole = new Promise<void>((resolve, reject) => {
    socket.on('data', function more(chunk) {
      received += chunk.toString('latin1')
      if (received.length < length) return
      socket.off('data', more)
      resolve()
    })
    socket.once('close', () => reject(new Error(`closed after ${received.length} bytes`)))
  })
  socket.write(bytes, 'latin1')
  await whole
  return received
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate)
}

function peers() {
  return [...engine.sessions.values()].map((session) => session.peer!)
}

describe('E9 hostile peers', () => {
  test('random bytes, and bytes that look like commands, end neither the process nor others', async () => {
    const token = fc.oneof(
      fc.constantFrom(
        '*1\r\n',
        '*3\r\n',
        '*-1\r\n',
        '*999999999\r\n',
        '$4\r\nPING\r\n',
        '$536870912\r\n',
        '$-5\r\n',
        '$3\r\n',
      ),
      fc.constantFrom(
        'PING\r\n',
        'HELLO 3\r\n',
        '"',
        "'",
        '\0',
        '\r\n',
        '\n',
        '*',
        '$',
        'SUBSCRIBE a\r\n',
        'MULTI\r\nEXEC\r\n',
      ),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    )
    const good = await connect()
    await fc.assert(
      fc.asyncProperty(fc.array(token, { maxLength: 30 }), async (tokens) => {
        const socket = await connect()
        const closed = once(socket, 'close')
        socket.resume()
        socket.end(Buffer.from(tokens.join(''), 'latin1'))
        await closed
        sockets.splice(sockets.indexOf(socket), 1)
      }),
      { numRuns: 300 },
    )
    expect(await exchange(good, 'PING\r\n', 7)).toBe('+PONG\r\n')
    expect(server.connections).toBe(1)
  })

  test('a thousand peers announce half a gigabyte each', async () => {
    const before = process.memoryUsage()
    const crowd = await Promise.all(Array.from({ length: 1000 }, connect))
    await Promise.all(
      crowd.map((socket) => new Promise((resolve) => socket.write('*2147483647\r\n$536870912\r\nabc', resolve))),
    )
    await until(() => peers().every((peer) => peer.queryBytes > 0))
    const after = process.memoryUsage()
    // Both ends of every connection live in this process.
    expect(after.rss - before.rss).toBeLessThan(200 * 1024 * 1024)
    expect(await exchange(await connect(), 'PING\r\n', 7)).toBe('+PONG\r\n')
  })

  test('a peer that never reads its replies costs bounded memory; when it reads, all are there', async () => {
    const writer = await connect()
    const value = 'x'.repeat(10_000)
    await exchange(writer, `XADD s 1-1 f ${value}\r\n`, 9)
    const slow = await connect()
    slow.pause()
    const COUNT = 3000
    const reply = `*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$10000\r\n${value}\r\n`
    slow.write('XRANGE s - +\r\n'.repeat(COUNT))
    const peer = () => peers().at(-1)!
    await until(() => peer().outputBytes > OUTPUT_AHEAD)
    // Everything the peer sent has been received, and what was not answered yet waits as requests.
    await until(() => slow.writableLength === 0)
    expect(await exchange(writer, 'PING\r\n', 7)).toBe('+PONG\r\n')
    expect(peer().outputBytes).toBeLessThan(OUTPUT_AHEAD + 2 * reply.length)
    let received = 0
    slow.on('data', (chunk) => {
      received += chunk.length
      slow.emit('more')
    })
    slow.resume()
    while (received < reply.length * COUNT) await once(slow, 'more', { signal: AbortSignal.timeout(20_000) })
    expect(received).toBe(reply.length * COUNT)
  })

  test('a subscriber that never reads is cut off at its limit', async () => {
    const publisher = await connect()
    await exchange(publisher, 'CONFIG SET client-output-buffer-limit "pubsub 1mb 0 0"\r\n', 5)
    const subscriber = await connect()
    await exchange(subscriber, 'SUBSCRIBE c\r\n', 30)
    subscriber.pause()
    const closed = once(subscriber, 'close')
    const message = `PUBLISH c ${'x'.repeat(50_000)}\r\n`
    while (engine.pubsub.subscriberCount('c') > 0) await exchange(publisher, message, 4)
    expect(engine.stats.outputBufferDisconnections).toBe(1)
    subscriber.resume()
    await closed
  })

  test('a long pipeline does not keep others waiting', async () => {
    const [flood, other] = [await connect(), await connect()]
    flood.resume()
    const COUNT = 200_000
    flood.write('PING\r\n'.repeat(COUNT))
    await until(() => engine.stats.commands > 0)
    expect(await exchange(other, 'ECHO between\r\n', 13)).toBe('$7\r\nbetween\r\n')
    expect(engine.stats.commands).toBeLessThan(COUNT)
  })
})
