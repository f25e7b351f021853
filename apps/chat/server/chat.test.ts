import { existsSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { hasPostgres, type RunningPostgres, startPostgres } from '../../../conformance/postgres.js'
import { hasRedis, type RunningServer, startRedis } from '../../../conformance/servers.js'
import { type Chat, type ChatEvents, ForeignDatabase, startChat } from './chat.js'
import { openDatabase } from './database/database.js'
import type { ChatNotification, ClientFrame, Ledger, RoomSummary, SearchHit, ServerFrame } from './protocol.js'
import type { Settings } from './settings.js'

const built = existsSync(fileURLToPath(new URL('../dist/server/database/pglite-thread.js', import.meta.url)))

const silent: ChatEvents = {
  loadingLog: () => undefined,
  logOpened: () => undefined,
  openingDatabase: () => undefined,
  databaseReady: () => undefined,
  failed: () => undefined,
  trouble: () => undefined,
  warning: () => undefined,
}

let directory: string
const embedded = (name: string) => join(directory, name)
let redis: RunningServer
let postgres: RunningPostgres
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'yeoul-chat-'))
  if (hasRedis()) redis = await startRedis()
  if (hasPostgres()) postgres = await startPostgres()
  if (!built) return
  // Setting up an embedded database takes long on a busy machine: once is enough.
  const template = { directory: embedded('template') }
  await (await openDatabase(template)).close()
  await cp(template.directory, embedded('engine/database'), { recursive: true })
  await cp(template.directory, embedded('on-redis'), { recursive: true })
}, 240_000)
afterAll(async () => {
  await redis?.stop()
  await postgres?.stop()
  await rm(directory, { recursive: true, force: true })
})

const SYSTEMS: [string, boolean, () => Pick<Settings, 'log' | 'database'>][] = [
  [
    'embedded engine, embedded database',
    built,
    () => ({
      log: { directory: embedded('engine'), respPort: 0 },
      database: { directory: embedded('engine/database') },
    }),
  ],
  [
    'Redis, embedded database',
    built && hasRedis(),
    () => ({ log: { url: `${redis.url}/1` }, database: { directory: embedded('on-redis') } }),
  ],
  [
    'Redis, PostgreSQL',
    hasRedis() && hasPostgres(),
    () => ({ log: { url: `${redis.url}/2` }, database: { url: postgres.url } }),
  ],
]

function start(parts: Pick<Settings, 'log' | 'database'>): Promise<Chat> {
  return startChat({ host: '127.0.0.1', port: 0, sendRate: 1_000, ...parts }, silent)
}

class Page {
  readonly frames: ServerFrame[] = []
  readonly #socket: WebSocket
  #looking = new Set<() => void>()

  constructor(
    chat: Chat,
    readonly user: string,
  ) {
    this.#socket = new WebSocket(`${chat.url.replace('http', 'ws')}/ws`, { origin: chat.url })
    this.#socket.on('message', (data) => {
      this.frames.push(JSON.parse(data.toString()) as ServerFrame)
      for (const look of [...this.#looking]) look()
    })
    this.#socket.on('open', () => this.send({ type: 'hello', user, rooms: { 여울: 0 } }))
    this.#socket.on('error', () => undefined)
  }

  send(frame: ClientFrame): void {
    this.#socket.send(JSON.stringify(frame))
  }

  /** The first frame that fits, past or to come. */
  frame<T extends ServerFrame['type']>(
    type: T,
    fits: (frame: Extract<ServerFrame, { type: T }>) => boolean = () => true,
  ): Promise<Extract<ServerFrame, { type: T }>> {
    const find = () =>
      this.frames.find(
        (frame): frame is Extract<ServerFrame, { type: T }> =>
          frame.type === type && fits(frame as Extract<ServerFrame, { type: T }>),
      )
    return new Promise((resolve) => {
      const look = () => {
        const found = find()
        if (found === undefined) return
        this.#looking.delete(look)
        resolve(found)
      }
      this.#looking.add(look)
      look()
    })
  }

  close(): void {
    this.#socket.terminate()
  }
}

async function get<T>(chat: Chat, path: string): Promise<T> {
  const response = await fetch(chat.url + encodeURI(path))
  expect(response.status, path).toBe(200)
  return (await response.json()) as T
}

describe.each(SYSTEMS)('%s', (_, available, parts) => {
  it.skipIf(!available)(
    'carries a message from a browser to everybody, the log, the database and back',
    { timeout: 240_000 },
    async () => {
      const chat = await start(parts())
      try {
        // People talk before the database is there.
        const [mina, jun] = [new Page(chat, '민아'), new Page(chat, '지훈')]
        await Promise.all([mina.frame('messages'), jun.frame('messages')])
        mina.send({ type: 'send', room: '여울', clientId: 'm1', text: '내일 회의는 세 시입니다 @지훈님' })
        expect(await mina.frame('sent')).toMatchObject({ seq: 1, duplicate: false })
        const { message } = await jun.frame('message')
        expect(message).toMatchObject({ seq: 1, user: '민아', text: '내일 회의는 세 시입니다 @지훈님' })
        jun.send({ type: 'read', room: '여울', seq: 1 })
        await mina.frame('read', ({ user, seq }) => user === '지훈' && seq === 1)
        mina.send({ type: 'send', room: '여울', clientId: 'm1', text: '내일 회의는 세 시입니다 @지훈님' })
        await mina.frame('sent', ({ duplicate }) => duplicate)

        await chat.ready
        await mina.frame('stored', ({ seq }) => seq === 1)
        const found = await get<{ hits: SearchHit[] }>(chat, '/api/search?q=회의')
        expect(found.hits).toMatchObject([{ message: { seq: 1, stored: true }, ranges: [[3, 5]] }])
        // Who was mentioned is known once the read positions of the room are in the database.
        mina.send({ type: 'send', room: '여울', clientId: 'm2', text: '@지훈 봤어?' })
        const { notification } = await jun.frame('notification', ({ notification }) => notification.seq === 2)
        expect(notification).toMatchObject({ kind: 'mention', from: '민아', room: '여울' })
        const bell = await get<{ notifications: ChatNotification[]; unseen: number }>(
          chat,
          '/api/notifications?user=지훈',
        )
        expect(bell.notifications.map(({ seq }) => seq)).toContain(2)
        mina.close()
        jun.close()
      } finally {
        await chat.close()
      }

      // A second start resumes with everything that was there.
      const again = await start(parts())
      try {
        await again.ready
        const { rooms } = await get<{ rooms: RoomSummary[] }>(again, '/api/rooms?user=지훈')
        expect(rooms).toMatchObject([{ name: '여울', top: 2, read: 1, members: 2, last: { seq: 2 } }])
        const history = await get<{ messages: { seq: number }[]; more: boolean }>(again, '/api/rooms/여울/messages')
        expect(history).toMatchObject({ messages: [{ seq: 1 }, { seq: 2 }], more: false })
        const page = new Page(again, '지훈')
        expect((await page.frame('messages')).messages.map(({ seq }) => seq)).toEqual([1, 2])
        page.close()
        const ledger = await get<Ledger>(again, '/api/ledger')
        expect(ledger).toMatchObject({ sent: 0, gapsDetected: 0 })
        const metrics = await (await fetch(`${again.url}/metrics`)).text()
        expect(metrics).toContain('chat_connections ')
        expect(metrics).toMatch(/yeoul_stream_length\{stream="chat.messages"\} 2/)
      } finally {
        await again.close()
      }
    },
  )
})

describe.skipIf(!hasRedis() || !hasPostgres())('the pieces around', () => {
  let chat: Chat
  beforeAll(async () => {
    chat = await start({ log: { url: `${redis.url}/3` }, database: { url: await freshDatabase('around') } })
    await chat.ready
  }, 60_000)
  afterAll(() => chat?.close())

  it('a database that was written from another log is refused', { timeout: 60_000 }, async () => {
    const url = await freshDatabase('foreign')
    const first = await start({ log: { url: `${redis.url}/4` }, database: { url } })
    await first.close()
    await expect(start({ log: { url: `${redis.url}/5` }, database: { url } })).rejects.toBeInstanceOf(ForeignDatabase)
  })

  it('what was put into the stream by hand goes to the dead letters and stops nothing', {
    timeout: 60_000,
  }, async () => {
    const { connect } = await import('yeoul')
    const yeoul = await connect(`${redis.url}/3`)
    yeoul.on('warning', () => undefined)
    const letters = yeoul.topic('chat.messages').deadLetters('db')
    const page = new Page(chat, '민아')
    await page.frame('messages')
    await yeoul.topic('chat.messages').publish({ room: '여울', user: 'x', text: 'no number', clientId: 'x' })
    page.send({ type: 'send', room: '여울', clientId: 'after', text: 'after it' })
    await page.frame('stored')
    const found = []
    while (found.length === 0) for await (const letter of letters.list()) found.push(letter)
    expect(found).toMatchObject([{ reason: 'unrecoverable', value: { text: 'no number' } }])
    page.close()
    await yeoul.close()
  })

  it.each([
    ['GET', '/api/search', 400],
    ['GET', '/api/search?q=x&before=nonsense', 400],
    ['GET', '/api/rooms', 400],
    ['GET', '/api/rooms/없음/messages', 404],
    ['GET', '/api/nothing', 404],
    ['GET', '/nothing.js', 404],
    ['GET', '/%2e%2e/%2e%2e/package.json', 404],
    ['GET', '/%', 400],
    ['POST', '/api/rooms', 400],
  ])('%s %s is answered with %i and a reason', async (method, path, status) => {
    const response = await fetch(chat.url + path, { method })
    expect(response.status).toBe(status)
    expect(((await response.json()) as { error: { message: string } }).error.message).not.toBe('')
    expect(response.headers.get('content-security-policy')).toContain("default-src 'self'")
  })

  it('while the database is away people talk on, and it gets everything when it is back', {
    timeout: 60_000,
  }, async () => {
    const page = new Page(chat, '민아')
    await page.frame('messages')
    await postgres.kill()
    for (let n = 0; n < 20; n++) page.send({ type: 'send', room: '여울', clientId: `away-${n}`, text: `away ${n}` })
    const { seq } = await page.frame('sent', ({ clientId }) => clientId === 'away-19')
    const { messages } = await get<{ messages: { seq: number }[] }>(chat, `/api/rooms/여울/messages?limit=20`)
    expect(messages.at(-1)?.seq).toBe(seq)
    expect((await fetch(`${chat.url}/api/search?q=away`)).status).toBe(503)
    await postgres.restart()
    await page.frame('stored', (frame) => frame.seq >= seq)
    const { hits } = await get<{ hits: SearchHit[] }>(chat, '/api/search?q=away&limit=50')
    expect(hits).toHaveLength(20)
    page.close()
  })

  it('a room is opened once and everybody hears of it', { timeout: 30_000 }, async () => {
    const page = new Page(chat, '민아')
    await page.frame('welcome')
    const open = () =>
      fetch(`${chat.url}/api/rooms`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: '새 방' }),
      })
    expect([(await open()).status, (await open()).status]).toEqual([201, 200])
    await page.frame('room', ({ room }) => room.name === '새 방')
    page.close()
  })

  it("another site's page may not open a socket", async () => {
    const socket = new WebSocket(`${chat.url.replace('http', 'ws')}/ws`, { origin: 'http://evil.example' })
    const status = await new Promise((resolve) => {
      socket.on('unexpected-response', (_, response) => resolve(response.statusCode))
      socket.on('error', () => undefined)
    })
    expect(status).toBe(403)
  })

  it('anybody may publish to the open topic, and only there', async () => {
    const publish = (topic: string, body: string) =>
      fetch(`${chat.url}/publish/${topic}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    expect(await (await publish('user-stream', '{"name":"kim"}')).json()).toMatchObject({
      id: expect.stringMatching(/^\d+-\d+$/),
    })
    expect((await publish('user-stream', '{')).status).toBe(400)
    expect((await publish('chat.messages', '{}')).status).toBe(404)
  })

  async function freshDatabase(name: string): Promise<string> {
    const { default: pg } = await import('pg')
    const client = new pg.Client(postgres.url)
    await client.connect()
    await client.query(`create database ${client.escapeIdentifier(name)}`).finally(() => client.end())
    return postgres.url.replace(/[^/]*$/, name)
  }
})
