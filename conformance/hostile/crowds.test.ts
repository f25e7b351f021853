import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RawClient, show, type Value } from '../resp/resp.js'
import { hasYeoul, type RunningServer, startYeoul } from '../servers.js'
import { encode } from './random-bytes.js'

/** Both ends need a descriptor each, in processes of their own: Node raises its limit to what the system allows. */
function crowd(wanted: number): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
  const room = limit === 'unlimited' ? wanted : Number(limit) - 500
  if (room < wanted) console.log(`${room} connections instead of ${wanted}: the limit of open files is ${limit}`)
  return Math.min(wanted, room)
}

function text(value: Value): string {
  return 'text' in value ? value.text : show(value)
}

async function info(client: RawClient, section: string): Promise<Map<string, string>> {
  const [reply] = await client.pipeline([['INFO', section]])
  return new Map(
    text(reply)
      .split('\r\n')
      .map((line) => line.split(':', 2) as [string, string]),
  )
}

async function memory(client: RawClient): Promise<{ rss: number; used: number }> {
  const facts = await info(client, 'memory')
  return { rss: Number(facts.get('used_memory_rss')), used: Number(facts.get('used_memory')) }
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function openMany(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const some = Math.min(200, count - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length: some }, () => open(port)))))
  }
  return sockets
}

/** Collects what a socket receives; `until` resolves with it once it is as long. */
class Received {
  text = ''
  #wake = () => {}

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1')
      this.#wake()
    })
    socket.on('close', () => this.#wake())
  }

  async until(length: number): Promise<string> {
    while (this.text.length < length) {
      if (this.socket.destroyed) throw new Error(`closed after ${JSON.stringify(this.text)}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.text
  }
}

describe.skipIf(!hasYeoul())('a crowd', () => {
  let yeoul: RunningServer
  let control: RawClient

  beforeAll(async () => {
    yeoul = await startYeoul(['--appendonly', 'no', '--maxclients', '20000'])
    control = await RawClient.open(yeoul.port)
  })
  afterAll(async () => {
    control?.close()
    await yeoul?.stop()
  })

  test('E11 ten thousand idle, then ten thousand waiting, served first come first served', async () => {
    const count = crowd(10_000)
    const before = await memory(control)
    const sockets = await openMany(yeoul.port, count)
    while (Number((await info(control, 'clients')).get('connected_clients')) < count + 1);
    const idle = await memory(control)
    const each = (bytes: number) => `${Math.round(bytes / count)} bytes`
    console.log(`idle connection: ${each(idle.used - before.used)}, resident ${each(idle.rss - before.rss)}`)

    await control.pipeline([['XGROUP', 'CREATE', 'work', 'g', '$', 'MKSTREAM']])
    const readers: Received[] = []
    for (const [i, socket] of sockets.entries()) {
      const reader = new Received(socket)
      readers.push(reader)
      // PING is answered in the turn in which the read is parked: so the order of arrival is known.
      socket.write(
        'PING\r\n' + encode(['XREADGROUP', 'GROUP', 'g', `c${i}`, 'BLOCK', '0', 'STREAMS', 'work', '>']),
        'latin1',
      )
      await reader.until(7)
      reader.text = ''
    }
    expect((await info(control, 'clients')).get('blocked_clients')).toBe(String(count))
    const waiting = await memory(control)
    console.log(`waiting reader: ${each(waiting.used - before.used)}, resident ${each(waiting.rss - before.rss)}`)
    const cpu = async () => {
      const facts = await info(control, 'cpu')
      return Number(facts.get('used_cpu_sys')) + Number(facts.get('used_cpu_user'))
    }
    const [from, since] = [await cpu(), performance.now()]
    await new Promise((resolve) => setTimeout(resolve, 1500))
    const share = ((await cpu()) - from) / ((performance.now() - since) / 1000)
    console.log(`while they wait: ${(share * 100).toFixed(1)} % of a processor`)

    for (let i = 0; i < count; i += 1000) {
      await control.pipeline(
        Array.from({ length: Math.min(1000, count - i) }, (_, k) => ['XADD', 'work', '*', 'n', String(i + k)]),
      )
    }
    const served: string[] = []
    for (const reader of readers) {
      const wire = await reader.until(50)
      served.push(/\$1\r\nn\r\n\$\d+\r\n(\d+)\r\n$/.exec(wire)?.[1] ?? wire)
    }
    expect(served).toEqual(served.map((_, i) => String(i)))
    const [pending] = await control.pipeline([['XPENDING', 'work', 'g']])
    expect('items' in pending && text(pending.items[0])).toBe(String(count))
    for (const socket of sockets) socket.destroy()
    while (Number((await info(control, 'clients')).get('connected_clients')) > 1);
  })

  test('E9 a subscriber that never reads is cut off at the default limit; meanwhile others are answered', async () => {
    const deaf = await open(yeoul.port)
    deaf.write(encode(['SUBSCRIBE', 'c']))
    await once(deaf, 'data')
    deaf.pause()
    const before = await memory(control)
    const message = 'x'.repeat(100_000)
    let sent = 0
    for (let receivers = '1'; receivers === '1'; sent += message.length) {
      const [published, pong] = await control.pipeline([['PUBLISH', 'c', message], ['PING']])
      expect(text(pong)).toBe('PONG')
      receivers = text(published)
    }
    const after = await memory(control)
    // 32 MB of the hard limit, what the system's socket buffers took, and as much again until it is collected.
    expect(sent).toBeLessThan(64 * 1024 * 1024)
    expect(after.rss - before.rss).toBeLessThan(160 * 1024 * 1024)
    expect((await info(control, 'stats')).get('client_output_buffer_limit_disconnections')).toBe('1')
    deaf.destroy()
  })
})

describe.skipIf(!hasYeoul())('a crowd without the password', () => {
  let yeoul: RunningServer
  let control: RawClient

  beforeAll(async () => {
    yeoul = await startYeoul(['--appendonly', 'no'])
    control = await RawClient.open(yeoul.port)
    await control.pipeline([['CONFIG', 'SET', 'requirepass', 'secret']])
  })
  afterAll(async () => {
    control?.close()
    await yeoul?.stop()
  })

  test('E9 holds little memory, is refused in the words of Redis, and does not keep others waiting', async () => {
    const count = Math.min(crowd(4000), 4000)
    const before = await memory(control)
    const sockets = await openMany(yeoul.port, count)
    // As much of a command as is allowed before AUTH, never finished.
    const unfinished = `*3\r\n$4\r\nAUTH\r\n$16384\r\n${'x'.repeat(16_000)}`
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.write(unfinished, resolve))))
    const held = async () => Number((await info(control, 'clients')).get('client_recent_max_input_buffer'))
    while ((await held()) < 16_000);
    const [pong] = await control.pipeline([['PING']])
    expect(text(pong)).toBe('PONG')
    const after = await memory(control)
    console.log(
      `unauthenticated peer with half a command: ${Math.round((after.rss - before.rss) / count)} bytes resident`,
    )
    expect(after.rss - before.rss).toBeLessThan(count * 64 * 1024)
    for (const socket of sockets) socket.destroy()

    for (const [bytes, refusal] of [
      ['*11\r\n', 'unauthenticated multibulk length'],
      ['*2\r\n$4\r\nAUTH\r\n$16385\r\n', 'unauthenticated bulk length'],
    ]) {
      const stranger = await open(yeoul.port)
      const received = new Received(stranger)
      stranger.write(bytes)
      await once(stranger, 'end')
      expect(received.text).toBe(`-ERR Protocol error: ${refusal}\r\n`)
    }
    const wrong = await RawClient.open(yeoul.port)
    const refused = await wrong.pipeline(Array.from({ length: 1000 }, () => ['AUTH', 'guess']))
    expect(new Set(refused.map(show))).toEqual(
      new Set(['-"WRONGPASS invalid username-password pair or user is disabled."']),
    )
    wrong.close()
  })
})
