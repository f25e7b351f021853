import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type Channels, connect, type Yeoul } from 'yeoul'
import { hasRedis, type RunningServer, startRedis } from '../../../../conformance/servers.js'
import { History } from '../history.js'
import { Later } from '../later.js'
import { ChatLog } from '../log.js'
import { ChatMetrics } from '../metrics.js'
import type { ChatMessage, ClientFrame, ServerFrame } from '../protocol.js'
import { RoomDirectory } from '../rooms.js'
import { Gateway, type GatewayOptions } from './gateway.js'

/** Deterministic: the seed is printed, and SEED=… plays it again. */
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
function random(): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}

/** Channels that lose some of what comes in, as Pub/Sub may. */
function lossy(channels: Channels, loses: () => boolean): Channels {
  return {
    publish: (channel, message) => channels.publish(channel, message),
    subscribe: (selection, listener, onGap) =>
      channels.subscribe(
        selection,
        (message, channel) => {
          if (!loses()) listener(message, channel)
        },
        onGap,
      ),
  }
}

/** One gateway as a process of its own would be: own connection to the log, own port. */
class Node {
  private constructor(
    readonly yeoul: Yeoul,
    readonly gateway: Gateway,
    readonly metrics: ChatMetrics,
    readonly log: ChatLog,
    readonly server: Server,
  ) {}

  static async start(url: string, options: GatewayOptions = {}, loses = () => false): Promise<Node> {
    const yeoul = await connect(url)
    yeoul.on('warning', () => undefined)
    const log = new ChatLog(yeoul)
    // The database never comes: history is what the log has.
    const database = new Later<never>(new Promise(() => undefined))
    const metrics = new ChatMetrics(new Registry())
    const rooms = new RoomDirectory(log)
    const gateway = new Gateway(
      {
        log,
        history: new History(log, database),
        rooms,
        channels: lossy(yeoul.channels, loses),
        database,
        metrics,
        facts: { durability: 'memory', server: 'test', log: 'test' },
        onError: () => undefined,
      },
      { send: { rate: 100_000, burst: 100_000 }, checkEvery: 50, ...options },
    )
    await gateway.start()
    await rooms.load()
    const server = createServer()
    const sockets = new WebSocketServer({ server })
    sockets.on('connection', (socket, request) => gateway.accept(socket, request.socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Node(yeoul, gateway, metrics, log, server)
  }

  get address(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    await this.gateway.stop()
    this.server.close()
    this.server.closeAllConnections()
    this.metrics.close()
    await this.yeoul.close()
  }
}

/** A page: knows what it has, sends again what is not acknowledged, orders nothing and drops nothing. */
class Page {
  readonly shown: ChatMessage[] = []
  readonly frames: ServerFrame[] = []
  readonly unacknowledged = new Map<string, string>()
  socket!: WebSocket
  #listeners = new Set<() => void>()

  constructor(
    readonly user: string,
    readonly room: string,
  ) {}

  async connect(node: Node): Promise<void> {
    this.socket = new WebSocket(node.address)
    this.socket.on('message', (data) => this.#take(JSON.parse(data.toString()) as ServerFrame))
    this.socket.on('error', () => undefined)
    await once(this.socket, 'open')
    this.send({ type: 'hello', user: this.user, rooms: { [this.room]: this.seqs.at(-1) ?? 0 } })
    for (const [clientId, text] of this.unacknowledged) this.send({ type: 'send', room: this.room, clientId, text })
  }

  disconnect(): void {
    // What is still on its way is lost, as with a cable pulled.
    this.socket.removeAllListeners('message')
    this.socket.terminate()
  }

  say(clientId: string, text = clientId): void {
    this.unacknowledged.set(clientId, text)
    if (this.socket.readyState === WebSocket.OPEN) this.send({ type: 'send', room: this.room, clientId, text })
  }

  send(frame: ClientFrame): void {
    this.socket.send(JSON.stringify(frame))
  }

  get seqs(): number[] {
    return this.shown.map(({ seq }) => seq)
  }

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return
        this.#listeners.delete(check)
        resolve()
      }
      this.#listeners.add(check)
    })
  }

  #take(frame: ServerFrame): void {
    this.frames.push(frame)
    if (frame.type === 'messages') this.shown.push(...frame.messages)
    else if (frame.type === 'message') this.shown.push(frame.message)
    else if (frame.type === 'sent') this.unacknowledged.delete(frame.clientId)
    for (const listener of [...this.#listeners]) listener()
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe.skipIf(!hasRedis())(`gateways on one log (seed ${seed})`, () => {
  let redis: RunningServer
  const nodes: Node[] = []
  const pages: Page[] = []
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis?.stop())
  beforeEach(async () => {
    const admin = await connect(redis.url)
    admin.on('warning', () => undefined)
    for (const topic of ['chat.messages', 'chat.rooms', 'chat.reads'])
      await admin.topic(topic).trim({ maxLength: 0, force: true })
    await admin.close()
  })
  afterEach(async () => {
    for (const page of pages.splice(0)) page.disconnect()
    await Promise.all(nodes.splice(0).map((node) => node.stop()))
  })

  async function node(options?: GatewayOptions, loses?: () => boolean): Promise<Node> {
    const started = await Node.start(redis.url, options, loses)
    nodes.push(started)
    return started
  }

  async function page(user: string, room: string, at: Node): Promise<Page> {
    const made = new Page(user, room)
    pages.push(made)
    await made.connect(at)
    await made.until(() => made.frames.some(({ type }) => type === 'messages'))
    return made
  }

  it('nothing is lost, doubled or out of order when hints are lost', { timeout: 60_000 }, async () => {
    const dice = random()
    const both = [await node({}, () => dice() < 0.4), await node({}, () => dice() < 0.4)]
    const all = await Promise.all(range(0, 5).map((n) => page(`u${n}`, 'lossy', both[n % 2])))
    for (const n of range(0, 299)) all[n % all.length].say(`m${n}`)
    await Promise.all(all.map((each) => each.until(() => each.shown.length >= 300)))
    for (const { seqs } of all) expect(seqs).toEqual(range(1, 300))
    expect(both[0].metrics.ledger.gapsDetected + both[1].metrics.ledger.gapsDetected).toBeGreaterThan(0)
  })

  it('the last message of a room is shown when its hint is lost and no other follows', {
    timeout: 30_000,
  }, async () => {
    let losing = false
    const only = await node({}, () => losing)
    const [mina, jun] = [await page('mina', 'last', only), await page('jun', 'last', only)]
    mina.say('first')
    await jun.until(() => jun.shown.length === 1)
    losing = true
    mina.say('second')
    await jun.until(() => jun.shown.length === 2)
    expect(jun.seqs).toEqual([1, 2])
  })

  it('a send repeated, here or at another gateway, is one message with one answer', {
    timeout: 30_000,
  }, async () => {
    const [first, second] = [await node(), await node()]
    const mina = await page('mina', 'twice', first)
    for (let n = 0; n < 3; n++) mina.say('same')
    await mina.until(() => mina.frames.filter(({ type }) => type === 'sent').length === 3)
    mina.disconnect()
    await mina.connect(second)
    mina.say('same')
    mina.say('other')
    await mina.until(() => mina.shown.some(({ clientId }) => clientId === 'other'))
    expect(mina.shown.map(({ clientId, seq }) => [clientId, seq])).toEqual([
      ['same', 1],
      ['other', 2],
    ])
    const answers = mina.frames.filter((frame) => frame.type === 'sent' && frame.clientId === 'same')
    expect(new Set(answers.map((frame) => frame.type === 'sent' && `${frame.seq} ${frame.id}`)).size).toBe(1)
  })

  it('reconnects in mid-traffic leave no hole and bring nothing twice', { timeout: 60_000 }, async () => {
    const dice = random()
    const both = [await node({}, () => dice() < 0.1), await node({}, () => dice() < 0.1)]
    const steady = await page('steady', 'moving', both[0])
    const moving = await page('moving', 'moving', both[1])
    for (let round = 0; round < 12; round++) {
      for (let n = 0; n < 20; n++) {
        steady.say(`s${round}-${n}`)
        moving.say(`m${round}-${n}`)
      }
      // Some rounds leave before anything of the round has come.
      const enough = moving.shown.length + Math.floor(dice() * 30)
      await moving.until(() => moving.shown.length >= Math.min(enough, (round + 1) * 20))
      moving.disconnect()
      await moving.connect(both[round % 2])
    }
    const total = 12 * 40
    await Promise.all([steady, moving].map((each) => each.until(() => each.shown.length >= total)))
    expect(steady.seqs).toEqual(range(1, total))
    expect(moving.seqs).toEqual(range(1, total))
    expect(new Set(moving.shown.map(({ clientId }) => clientId)).size).toBe(total)
  })

  it('a gateway that ends in mid-traffic loses nothing it acknowledged', { timeout: 60_000 }, async () => {
    const first = await node()
    const stays = await page('stays', 'restart', await node())
    const moves = await page('moves', 'restart', first)
    for (const n of range(0, 99)) moves.say(`a${n}`)
    await moves.until(() => moves.unacknowledged.size < 60 && moves.shown.length > 0)
    nodes.splice(nodes.indexOf(first), 1)
    await first.stop()
    moves.disconnect()
    for (const n of range(0, 49)) moves.say(`b${n}`)
    const another = await node()
    await moves.connect(another)
    await Promise.all([stays, moves].map((each) => each.until(() => each.shown.length >= 150)))
    expect(stays.seqs).toEqual(range(1, 150))
    expect(moves.seqs).toEqual(range(1, 150))
    await moves.until(() => moves.unacknowledged.size === 0)
  })

  it('a slow reader gets counters instead of bodies, then all of it; the others notice nothing', {
    timeout: 60_000,
  }, async () => {
    const only = await node({ congestedAbove: 64 << 10, drainedBelow: 16 << 10 })
    const [fast, slow] = [await page('fast', 'slow', only), await page('slow', 'slow', only)]
    slow.socket.pause()
    const text = 'x'.repeat(3_900)
    const total = 3_000
    for (const n of range(1, total)) fast.say(`m${n}`, text)
    await fast.until(() => fast.shown.length === total)
    expect(fast.seqs).toEqual(range(1, total))
    slow.socket.resume()
    await slow.until(() => slow.shown.length >= total)
    expect(slow.seqs).toEqual(range(1, total))
    expect(slow.frames.some(({ type }) => type === 'behind')).toBe(true)
    expect(slow.frames.findLast(({ type }) => type === 'messages')).toMatchObject({ complete: true })
  })

  it('a page that has nothing gets the newest page, one that is far behind is told of the hole', {
    timeout: 60_000,
  }, async () => {
    const only = await node()
    for (const n of range(1, 5_300)) void only.log.append({ room: 'far', user: 'u', text: 't', clientId: `m${n}` })
    await only.log.append({ room: 'far', user: 'u', text: 't', clientId: 'last' })
    const fresh = await page('fresh', 'far', only)
    expect(fresh.seqs).toEqual(range(5_252, 5_301))
    fresh.send({ type: 'join', room: 'far', after: 1 })
    await fresh.until(() => fresh.frames.filter(({ type }) => type === 'messages').length === 2)
    expect(fresh.frames.findLast(({ type }) => type === 'messages')).toMatchObject({ complete: false, top: 5_301 })
    fresh.send({ type: 'fill', room: 'far', from: 2, to: 4 })
    await fresh.until(() => fresh.frames.filter(({ type }) => type === 'messages').length === 3)
    expect(fresh.seqs.slice(-3)).toEqual([2, 3, 4])
  })

  it('everybody in the room learns who is there, who types and who has read what', { timeout: 30_000 }, async () => {
    const [first, second] = [await node(), await node()]
    const [mina, jun] = [await page('mina', 'people', first), await page('jun', 'people', second)]
    mina.say('hello')
    await jun.until(() => jun.shown.length === 1)
    jun.send({ type: 'typing', room: 'people' })
    jun.send({ type: 'read', room: 'people', seq: 1 })
    jun.send({ type: 'read', room: 'people', seq: 99 })
    await mina.until(() => mina.frames.some((frame) => frame.type === 'typing' && frame.user === 'jun'))
    await mina.until(() =>
      mina.frames.some((frame) => frame.type === 'read' && frame.user === 'jun' && frame.seq === 1),
    )
    await mina.until(() => mina.frames.some((frame) => frame.type === 'members' && frame.online.join() === 'jun,mina'))
    expect(jun.frames.some(({ type }) => type === 'typing')).toBe(false)
    jun.disconnect()
    const mark = mina.frames.length
    await mina.until(() =>
      mina.frames.slice(mark).some((frame) => frame.type === 'members' && frame.online.join() === 'mina'),
    )
    expect(mina.frames.some((frame) => frame.type === 'read' && frame.seq > 1)).toBe(false)
  })

  it.each([
    ['no JSON', 'nonsense', 'bad_frame'],
    ['an unknown frame', '{"type":"shout"}', 'bad_frame'],
    ['nothing before the hello', '{"type":"join","room":"r","after":0}', 'not_joined'],
    ['a name with a slash', '{"type":"hello","user":"a/b","rooms":{}}', 'bad_name'],
    ['an empty text', '{"type":"send","room":"r","clientId":"c","text":" "}', 'empty'],
    ['a text too long', JSON.stringify({ type: 'send', room: 'r', clientId: 'c', text: 'x'.repeat(4001) }), 'too_long'],
  ])('refuses %s with a reason', async (_, data, code) => {
    const socket = new WebSocket((await node()).address)
    await once(socket, 'open')
    socket.send(data)
    const [answer] = await once(socket, 'message')
    expect(JSON.parse(String(answer))).toMatchObject({ type: 'refused', code })
    socket.terminate()
  })

  it('refuses more than the rate, says when to try again, and takes it then', { timeout: 30_000 }, async () => {
    const mina = await page('mina', 'rate', await node({ send: { rate: 20, burst: 2 } }))
    for (const n of range(1, 3)) mina.say(`m${n}`)
    await mina.until(() => mina.frames.some(({ type }) => type === 'refused'))
    const refused = mina.frames.find((frame) => frame.type === 'refused')
    expect(refused).toMatchObject({ code: 'rate_limited', clientId: 'm3' })
    await new Promise((resolve) => setTimeout(resolve, refused?.type === 'refused' ? refused.retryAfter : 0))
    mina.say('m3')
    await mina.until(() => mina.shown.length === 3)
  })
})
