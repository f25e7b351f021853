import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ClientFrame, RoomSummary, ServerFrame } from '../../../server/protocol.js'
import { Chat } from './chat.js'
import type { Socket } from './connection.js'
import { type Http, RequestFailed } from './http.js'
import { message } from './messages.fixture.js'
import type { Keeper } from './outbox.js'

class FakeSocket implements Socket {
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: (() => void) | null = null
  onerror: (() => void) | null = null
  readonly frames: ClientFrame[] = []
  closed = false
  send(data: string): void {
    this.frames.push(JSON.parse(data))
  }
  close(): void {
    this.closed = true
  }
  receive(frame: ServerFrame): void {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }
  sent<T extends ClientFrame['type']>(type: T): Extract<ClientFrame, { type: T }>[] {
    return this.frames.filter((frame): frame is Extract<ClientFrame, { type: T }> => frame.type === type)
  }
}

const summary = (top: number, over: Partial<RoomSummary> = {}): RoomSummary => ({
  name: 'lobby',
  top,
  read: top,
  members: 2,
  last: null,
  reads: { sua: top, mina: top },
  ...over,
})

const welcome = (rooms: RoomSummary[]): ServerFrame => ({
  type: 'welcome',
  user: 'sua',
  rooms,
  durability: 'always',
  server: 't',
  log: 'a',
})

function page() {
  const sockets: FakeSocket[] = []
  const kept = new Map<string, string>()
  const keeper: Keeper = {
    get length() {
      return kept.size
    },
    key: (index) => [...kept.keys()][index] ?? null,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  }
  const http = {
    history: vi.fn(async () => ({ messages: [] as ReturnType<typeof message>[], more: false })),
    notifications: vi.fn(async () => ({ notifications: [], unseen: 0 })),
    seen: vi.fn(async () => ({ ok: true })),
    createRoom: vi.fn(async () => ({ room: summary(0) })),
    search: vi.fn(),
    ledger: vi.fn(),
  }
  let ids = 0
  const open = () => {
    const socket = new FakeSocket()
    sockets.push(socket)
    return socket
  }
  const chat = new Chat({ user: 'sua', open, http: http as unknown as Http, keeper, clientId: () => `id-${++ids}` })
  const accept = (rooms: RoomSummary[]): FakeSocket => {
    const socket = sockets.at(-1)!
    socket.onopen?.()
    socket.receive(welcome(rooms))
    return socket
  }
  const reload = () =>
    new Chat({ user: 'sua', open, http: http as unknown as Http, keeper, clientId: () => `id-${++ids}` })
  return { chat, sockets, http, accept, reload }
}

const seqs = (chat: Chat) =>
  chat.rooms
    .get('lobby')!
    .timeline.messages()
    .map((held) => held.seq)

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('chat', () => {
  test('joins the rooms this user is a member of, from their top, and the open one a page earlier', () => {
    const { chat, accept } = page()
    chat.start()
    chat.enter('lobby')
    const socket = accept([
      summary(80),
      summary(9, { name: 'lunch' }),
      summary(5, { name: 'other', reads: { mina: 5 }, read: 0 }),
    ])
    expect(socket.sent('join')).toEqual([
      { type: 'join', room: 'lobby', after: 30 },
      { type: 'join', room: 'lunch', after: 9 },
    ])
    chat.stop()
  })

  test('a send is acknowledged once, whichever of receipt and message comes first', () => {
    const { chat, accept } = page()
    chat.start()
    const socket = accept([summary(0)])
    chat.enter('lobby')
    chat.send(chat.current!, 'hello')
    const { clientId } = socket.sent('send')[0]!
    socket.receive({ type: 'message', message: message(1, { user: 'sua', clientId }) })
    expect(chat.outbox.entries()).toEqual([])
    socket.receive({
      type: 'sent',
      room: 'lobby',
      clientId,
      id: '1-0',
      seq: 1,
      at: 1,
      durability: 'always',
      duplicate: false,
    })
    expect(seqs(chat)).toEqual([1])
    chat.stop()
  })

  test('reconnect: hello names what is held without a hole, unsent messages go out again under their ids', () => {
    const { chat, sockets, accept } = page()
    chat.start()
    chat.enter('lobby')
    const first = accept([summary(2)])
    first.receive({ type: 'messages', room: 'lobby', messages: [message(1), message(2)], top: 2, complete: true })
    first.receive({ type: 'message', message: message(5) })
    expect(first.sent('fill')).toEqual([{ type: 'fill', room: 'lobby', from: 3, to: 4 }])
    chat.send(chat.current!, 'never answered')
    first.onclose?.()
    expect(chat.link.state).toBe('waiting')
    chat.send(chat.current!, 'written offline')

    vi.advanceTimersByTime(600)
    expect(sockets).toHaveLength(2)
    const second = accept([summary(6)])
    expect(second.sent('hello')).toEqual([{ type: 'hello', user: 'sua', rooms: { lobby: 2 } }])
    expect(second.sent('send').map((frame) => [frame.clientId, frame.text])).toEqual([
      ['id-1', 'never answered'],
      ['id-2', 'written offline'],
    ])
    second.receive({
      type: 'messages',
      room: 'lobby',
      messages: [3, 4, 5, 6].map((seq) => message(seq)),
      top: 6,
      complete: true,
    })
    expect(seqs(chat)).toEqual([1, 2, 3, 4, 5, 6])
    expect(chat.catchingUp).toBe(0)
    chat.stop()
  })

  test('the queue survives a reload', () => {
    const { chat, accept, reload } = page()
    chat.start()
    accept([summary(0)])
    chat.stop()
    chat.enter('lobby')
    chat.send(chat.current!, 'typed in a tunnel')
    const again = reload()
    again.start()
    const socket = accept([summary(0)])
    expect(socket.sent('send')).toEqual([{ type: 'send', room: 'lobby', clientId: 'id-1', text: 'typed in a tunnel' }])
    again.stop()
  })

  test('holes are not asked for one by one while a catch-up is under way', () => {
    const { chat, accept } = page()
    chat.start()
    chat.enter('lobby')
    const socket = accept([summary(90)])
    socket.receive({ type: 'messages', room: 'lobby', messages: [message(41)], top: 90, complete: false })
    expect(socket.sent('fill')).toEqual([])
    expect(chat.catchingUp).toBe(49)
    vi.advanceTimersByTime(6_000)
    expect(socket.sent('fill')).toEqual([{ type: 'fill', room: 'lobby', from: 42, to: 90 }])
    chat.stop()
  })

  test('a hole nobody fills is asked for again, then shown as failed', () => {
    const { chat, accept } = page()
    chat.start()
    chat.enter('lobby')
    const socket = accept([summary(0)])
    socket.receive({ type: 'messages', room: 'lobby', messages: [], top: 0, complete: true })
    socket.receive({ type: 'message', message: message(3) })
    vi.advanceTimersByTime(20_000)
    expect(socket.sent('fill')).toHaveLength(4)
    expect(chat.current!.gapState(1, Date.now())).toBe('failed')
    chat.stop()
  })

  test('rate limited: held back until the time given, then sent with the same id', () => {
    const { chat, accept } = page()
    chat.start()
    const socket = accept([summary(0)])
    chat.enter('lobby')
    chat.send(chat.current!, 'one')
    socket.receive({ type: 'refused', clientId: 'id-1', code: 'rate_limited', text: '', retryAfter: 3_000 })
    vi.advanceTimersByTime(2_500)
    expect(socket.sent('send')).toHaveLength(1)
    vi.advanceTimersByTime(1_000)
    expect(socket.sent('send').map((frame) => frame.clientId)).toEqual(['id-1', 'id-1'])
    chat.stop()
  })

  test('a send without an answer is repeated on the same connection', () => {
    const { chat, accept } = page()
    chat.start()
    const socket = accept([summary(0)])
    chat.enter('lobby')
    chat.send(chat.current!, 'one')
    for (let second = 0; second < 10; second++) {
      vi.advanceTimersByTime(1_000)
      socket.receive({ type: 'pong' })
    }
    expect(socket.sent('send').map((frame) => frame.clientId)).toEqual(['id-1', 'id-1'])
    chat.stop()
  })

  test('a silent connection is dropped and made anew', () => {
    const { chat, sockets, accept } = page()
    chat.start()
    const socket = accept([])
    vi.advanceTimersByTime(15_000)
    expect(socket.sent('ping')).toHaveLength(1)
    vi.advanceTimersByTime(16_000)
    expect(socket.closed).toBe(true)
    expect(sockets.length).toBeGreaterThan(1)
    chat.stop()
  })

  test('a read made offline reaches the server with the next welcome', () => {
    const { chat, sockets, accept } = page()
    chat.start()
    chat.enter('lobby')
    const first = accept([summary(3, { read: 1, reads: { sua: 1 } })])
    first.onclose?.()
    chat.displayed(chat.current!, 3)
    vi.advanceTimersByTime(600)
    expect(sockets).toHaveLength(2)
    const second = accept([summary(3, { read: 1, reads: { sua: 1 } })])
    expect(second.sent('read')).toEqual([{ type: 'read', room: 'lobby', seq: 3 }])
    expect(chat.current!.unread).toBe(0)
    chat.stop()
  })

  test('history that cannot be loaded says so and can be asked for again', async () => {
    const { chat, accept, http } = page()
    chat.start()
    chat.enter('lobby')
    accept([summary(200)])
    http.history.mockRejectedValueOnce(new RequestFailed(0, 'offline'))
    await chat.loadOlder(chat.current!)
    expect(chat.current!.older).toBe('failed')
    http.history.mockResolvedValueOnce({ messages: [message(149), message(150)], more: true })
    await chat.loadOlder(chat.current!)
    expect(chat.current!.older).toBe('some')
    expect(seqs(chat)).toEqual([149, 150])
    chat.stop()
  })

  test('another log behind the same address: what is held is forgotten, rooms are joined anew', () => {
    const { chat, sockets, accept } = page()
    chat.start()
    chat.enter('lobby')
    const first = accept([summary(2)])
    first.receive({ type: 'messages', room: 'lobby', messages: [message(1), message(2)], top: 2, complete: true })
    first.onclose?.()
    vi.advanceTimersByTime(600)
    const second = sockets.at(-1)!
    second.onopen?.()
    second.receive({ ...welcome([summary(0)]), log: 'b' } as ServerFrame)
    expect(seqs(chat)).toEqual([])
    expect(second.sent('join')).toEqual([{ type: 'join', room: 'lobby', after: 0 }])
    chat.stop()
  })

  test('sequences without a message any more stop being a gap once they were asked for', async () => {
    const { chat, accept, http } = page()
    chat.start()
    chat.enter('lobby')
    const socket = accept([summary(0)])
    socket.receive({ type: 'messages', room: 'lobby', messages: [], top: 0, complete: true })
    socket.receive({ type: 'message', message: message(3) })
    vi.advanceTimersByTime(20_000)
    http.history.mockResolvedValueOnce({ messages: [message(2)], more: false })
    await chat.fillGap(chat.current!, { from: 1, to: 2 })
    expect(seqs(chat)).toEqual([2, 3])
    expect(chat.current!.timeline.gaps()).toEqual([])
    expect(chat.current!.timeline.contiguous()).toBe(3)
    chat.stop()
  })

  test('notifications that cannot be had yet are asked for again', async () => {
    const { chat, accept, http } = page()
    http.notifications.mockRejectedValueOnce(new RequestFailed(503, 'the database is starting'))
    chat.start()
    accept([])
    await vi.advanceTimersByTimeAsync(4_000)
    expect(http.notifications).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(http.notifications).toHaveBeenCalledTimes(2)
    chat.stop()
  })

  test('a mention is counted once however often it comes', () => {
    const { chat, accept } = page()
    chat.start()
    const socket = accept([summary(0)])
    const notification = {
      id: 'n',
      kind: 'mention',
      room: 'lobby',
      seq: 1,
      from: 'mina',
      text: '@sua',
      at: 1,
      seen: false,
    } as const
    socket.receive({ type: 'notification', notification })
    socket.receive({ type: 'notification', notification })
    expect(chat.unseen).toBe(1)
    chat.stop()
  })
})
