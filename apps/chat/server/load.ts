/**
 * Load on a running chat, and the account of it: every message once, in order, at everybody in its room.
 *
 *     CHAT_SEND_RATE=1000 npm start
 *     node apps/chat/dist/server/load.js [--url http://127.0.0.1:3000] [--clients 40] [--rooms 4] [--rate 500]
 *                                        [--seconds 20] [--searches 4] [--json]
 *
 * `rate`: messages a second over all clients; `searches`: a second, of two and of three syllables in turn. Ends with status 1 when
 * a message was lost, came twice or out of order.
 */

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import type { ChatMessage, ClientFrame, ServerFrame } from './protocol.js'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:3000' },
    clients: { type: 'string', default: '40' },
    rooms: { type: 'string', default: '4' },
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '20' },
    searches: { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
  },
})
const url = values.url
const rate = Number(values.rate)
const seconds = Number(values.seconds)
const run = randomUUID().slice(0, 8)
/** Messages and searches are let out in steps of this, ms. */
const TICK = 10
const WORDS = [
  '회의는 세 시에 시작합니다',
  '서울역에서 만나요',
  'see you at the station',
  '자료를 보냈습니다',
  '점심은 무엇을 먹을까요',
]
const QUERIES = ['회의', '서울역', '자료를', '점심', '만나요']

class Client {
  readonly received: ChatMessage[] = []
  refused = 0
  top = 0
  constructor(
    readonly socket: WebSocket,
    readonly user: string,
    readonly room: string,
  ) {}

  send(frame: ClientFrame): void {
    this.socket.send(JSON.stringify(frame))
  }
}

const sentAt = new Map<string, number>()
const acknowledged: number[] = []
const shown: number[] = []
const searched: number[] = []

const before = await metrics()
await metrics() // the loop's delay is measured from here
const clients = await Promise.all(Array.from({ length: Number(values.clients) }, (_, index) => open(index)))
const started = performance.now()
let sent = 0
let asked = 0
const pending: Promise<void>[] = []
while (performance.now() - started < seconds * 1000) {
  const elapsed = (performance.now() - started) / 1000
  for (; sent < elapsed * rate; sent++) {
    const client = clients[sent % clients.length]
    const clientId = `${run}-${sent}`
    sentAt.set(clientId, performance.now())
    client.send({ type: 'send', room: client.room, clientId, text: `${WORDS[sent % WORDS.length]} ${sent}` })
  }
  for (; asked < elapsed * Number(values.searches); asked++) pending.push(search(QUERIES[asked % QUERIES.length]))
  await sleep(TICK)
}
const deadline = performance.now() + 20_000
const perRoom = new Map<string, number>()
for (let n = 0; n < sent; n++) {
  const { room } = clients[n % clients.length]
  perRoom.set(room, (perRoom.get(room) ?? 0) + 1)
}
const complete = () => clients.every(({ room, received }) => received.length >= (perRoom.get(room) ?? 0))
while (!complete() && performance.now() < deadline) await sleep(TICK)
await Promise.allSettled(pending)
const after = await metrics()
for (const { socket } of clients) socket.close()

let lost = 0
let doubled = 0
let disordered = 0
for (const { room, received } of clients) {
  const seqs = received.map(({ seq }) => seq)
  lost += (perRoom.get(room) ?? 0) - new Set(seqs).size
  doubled += seqs.length - new Set(seqs).size
  disordered += seqs.filter((seq, index) => index > 0 && seq <= seqs[index - 1]).length
}
const report = {
  clients: clients.length,
  rooms: new Set(clients.map(({ room }) => room)).size,
  seconds,
  sent,
  refused: clients.reduce((sum, { refused }) => sum + refused, 0),
  delivered: clients.reduce((sum, { received }) => sum + received.length, 0),
  lost,
  doubled,
  disordered,
  acknowledgedMs: quantiles(acknowledged),
  shownMs: quantiles(shown),
  searches: searched.length,
  searchMs: quantiles(searched),
  loopDelayMs: {
    p50: milliseconds(after.get('chat_event_loop_delay_seconds{quantile="0.5"}')),
    p99: milliseconds(after.get('chat_event_loop_delay_seconds{quantile="0.99"}')),
    max: milliseconds(after.get('chat_event_loop_delay_seconds{quantile="1"}')),
  },
  saveLagMeanMs: mean('chat_db_save_lag_seconds'),
  gapsDetected: (after.get('chat_gap_detected_total') ?? 0) - (before.get('chat_gap_detected_total') ?? 0),
}
console.log(values.json ? JSON.stringify(report) : report)
process.exit(lost + doubled + disordered === 0 ? 0 : 1)

async function open(index: number): Promise<Client> {
  const room = `load-${run}-${index % Number(values.rooms)}`
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`)
  const client = new Client(socket, `load-${index}`, room)
  await once(socket, 'open')
  const joined = new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      const frame = JSON.parse(data.toString()) as ServerFrame
      if (frame.type === 'messages') {
        resolve()
        for (const message of frame.messages) took(client, message)
      } else if (frame.type === 'message') took(client, frame.message)
      else if (frame.type === 'sent') acknowledged.push(performance.now() - (sentAt.get(frame.clientId) ?? Number.NaN))
      else if (frame.type === 'refused') client.refused++
    })
  })
  client.send({ type: 'hello', user: client.user, rooms: { [room]: 0 } })
  await joined
  return client
}

function took(client: Client, message: ChatMessage): void {
  client.received.push(message)
  const at = sentAt.get(message.clientId)
  if (at !== undefined) shown.push(performance.now() - at)
}

async function search(text: string): Promise<void> {
  const from = performance.now()
  const response = await fetch(`${url}/api/search?q=${encodeURIComponent(text)}`)
  await response.json()
  if (response.ok) searched.push(performance.now() - from)
}

async function metrics(): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

function mean(name: string): number {
  const of = (part: string) => (after.get(`${name}_${part}`) ?? 0) - (before.get(`${name}_${part}`) ?? 0)
  return round((of('sum') / of('count')) * 1000)
}

function quantiles(numbers: number[]): { p50: number; p99: number; max: number } {
  const sorted = numbers.filter((number) => !Number.isNaN(number)).sort((a, b) => a - b)
  const at = (share: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN)
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

function milliseconds(seconds: number | undefined): number {
  return round((seconds ?? Number.NaN) * 1000)
}

function round(number: number): number {
  return Math.round(number * 10) / 10
}
