import { createClient } from 'redis'
import { pick, type Random } from './random.js'

/** Deliveries by ID. */
type Pending = Map<string, { consumer: string; count: number }>

/**
 * Mixed traffic against one server, and an account of every command that was answered: what must be there whatever
 * happens to the server. Commands that were sent and not answered may be there or not.
 */
export class Account {
  answered = 0
  /** Entry ID → number, by stream, of the appends that were answered. */
  readonly #appended = new Map<string, Map<string, string>>()
  /** Publish ids that were answered, and the entry ID told. */
  readonly #published = new Map<string, string>()
  readonly #delivered: Pending = new Map()
  readonly #acknowledged = new Set<string>()
  /** Acknowledgements sent and not answered. */
  readonly #acknowledging = new Set<string>()
  #counter = { answered: 0, sent: 0 }
  #pair = { answered: 0, sent: 0 }
  readonly #fields = new Map<string, string>()
  readonly #scores = new Map<string, number>()
  #next = 0
  #round = 0

  constructor(readonly below: Random) {}

  /** Streams of this round; those of earlier ones must stay as they are. */
  get #streams(): string[] {
    return [`s:${this.#round}`, `t:${this.#round}`]
  }

  /** Traffic until the server is gone. `until` is called after each answer. */
  async run(url: string, until: () => void): Promise<void> {
    this.#round++
    const setUp = await connect(url)
    for (const stream of this.#streams) await setUp.xGroupCreate(stream, 'g', '0', { MKSTREAM: true })
    setUp.destroy()
    const peers = [
      ...Array.from({ length: 4 }, () => (client: Client) => this.#append(client)),
      ...['a', 'b'].map((consumer) => (client: Client) => this.#consume(client, consumer)),
      (client: Client) => this.#keep(client),
      (client: Client) => this.#transact(client),
    ]
    await Promise.all(
      peers.map(async (act) => {
        const client = await connect(url)
        try {
          for (;;) {
            await act(client)
            this.answered++
            until()
          }
        } catch (error) {
          if (!GONE.test(String(error))) throw error
        } finally {
          client.destroy()
        }
      }),
    )
  }

  /** Appends, four at once, one of them under a publish id. */
  async #append(client: Client): Promise<void> {
    const { below } = this
    const stream = pick(below, this.#streams)
    const first = this.#next
    this.#next += 4
    const mine = this.#appended.get(stream) ?? new Map<string, string>()
    this.#appended.set(stream, mine)
    const appends = [0, 1, 2].map(async (i) => {
      const number = String(first + i)
      mine.set(await client.xAdd(stream, '*', { n: number, data: 'x'.repeat(below(400)) }), number)
    })
    const publish = async () => {
      const number = String(first + 3)
      const words = ['FCALL', 'yeoul_append', '3', stream, `mark:${number}`, 'counters', '600000']
      const [id] = (await client.sendCommand([...words, '0', '', '', '', 'n', number])) as unknown as [string]
      mine.set(id, number)
      this.#published.set(`${stream} ${number}`, id)
    }
    await Promise.all([...appends, publish()])
  }

  /** Reads ten for the group, acknowledges some of them. */
  async #consume(client: Client, consumer: string): Promise<void> {
    const stream = pick(this.below, this.#streams)
    const options = { COUNT: 10, BLOCK: 20 }
    const reply = (await client.xReadGroup('g', consumer, { key: stream, id: '>' }, options)) as
      | { messages: { id: string }[] }[]
      | null
    const ids = reply?.flatMap(({ messages }) => messages.map(({ id }) => id)) ?? []
    for (const id of ids) this.#delivered.set(`${stream} ${id}`, { consumer, count: 1 })
    const done = ids.filter(() => this.below(3) > 0)
    if (done.length === 0) return
    for (const id of done) this.#acknowledging.add(`${stream} ${id}`)
    await client.xAck(stream, 'g', done)
    for (const id of done) {
      this.#acknowledging.delete(`${stream} ${id}`)
      this.#acknowledged.add(`${stream} ${id}`)
    }
  }

  /** A counter, a hash, a sorted set, and now and then a compaction. */
  async #keep(client: Client): Promise<void> {
    this.#counter.sent++
    this.#counter.answered = await client.incr('counter')
    const field = `f${this.below(50)}`
    const value = String(this.#next++)
    this.#fields.delete(field)
    await client.hSet('hash', field, value)
    this.#fields.set(field, value)
    const member = `m${this.below(50)}`
    const score = this.#next++
    this.#scores.delete(member)
    await client.zAdd('zset', { score, value: member })
    this.#scores.set(member, score)
    if (this.below(60) === 0) await client.sendCommand(['BGREWRITEAOF']).catch(onlyWhenRefused)
  }

  /** Two counters that are never seen to differ. */
  async #transact(client: Client): Promise<void> {
    this.#pair.sent++
    const [first] = await client.multi().incr('pair:a').incr('pair:b').exec()
    this.#pair.answered = Number(first)
  }

  /** Compares with what a server says now. Throws a sentence for the first thing that is wrong. */
  async check(url: string): Promise<void> {
    const client = await connect(url)
    try {
      for (const [stream, appended] of this.#appended) await this.#checkStream(client, stream, appended)
      for (const [key, id] of this.#published) {
        const mark = await client.get(`mark:${key.split(' ')[1]}`)
        if (mark !== `${id} 0`) throw new Error(`the mark of publish ${key} says ${mark} instead of ${id}`)
      }
      within('counter', Number(await client.get('counter')), this.#counter)
      const pair = await client.mGet(['pair:a', 'pair:b'])
      if (pair[0] !== pair[1]) throw new Error(`half a transaction: ${pair}`)
      within('pair:a', Number(pair[0]), this.#pair)
      const hash = await client.hGetAll('hash')
      for (const [field, value] of this.#fields) {
        if (hash[field] !== value) throw new Error(`hash ${field} is ${hash[field]} instead of ${value}`)
      }
      for (const [member, score] of this.#scores) {
        const found = await client.zScore('zset', member)
        if (found !== score) throw new Error(`zset ${member} is ${found} instead of ${score}`)
      }
    } finally {
      client.destroy()
    }
  }

  async #checkStream(client: Client, stream: string, appended: ReadonlyMap<string, string>): Promise<void> {
    const entries = new Map(((await client.xRange(stream, '-', '+')) ?? []).map(({ id, message }) => [id, message.n]))
    for (const [id, number] of appended) {
      if (entries.get(id) !== number) throw new Error(`${stream} ${id} is ${entries.get(id)} instead of ${number}`)
    }
    if (new Set(entries.values()).size !== entries.size) throw new Error(`${stream} holds an entry twice`)
    const pending: Pending = new Map()
    for (const row of await client.xPendingRange(stream, 'g', '-', '+', 1_000_000)) {
      pending.set(`${stream} ${row.id}`, { consumer: row.consumer, count: row.deliveriesCounter })
    }
    for (const [key, delivery] of this.#delivered) {
      if (!key.startsWith(`${stream} `)) continue
      const found = pending.get(key)
      if (this.#acknowledged.has(key)) {
        if (found !== undefined) throw new Error(`${key} is pending though it was acknowledged`)
      } else if (found === undefined) {
        if (!this.#acknowledging.has(key)) throw new Error(`${key} was delivered and is not pending`)
      } else if (found.consumer !== delivery.consumer || found.count !== delivery.count) {
        throw new Error(`${key} is pending as ${JSON.stringify(found)} instead of ${JSON.stringify(delivery)}`)
      }
    }
    const [group] = await client.xInfoGroups(stream)
    for (const key of this.#delivered.keys()) {
      const [of, id] = key.split(' ')
      if (of === stream && later(id, String(group['last-delivered-id']))) {
        throw new Error(`${key} was delivered, but the group stands at ${group['last-delivered-id']}`)
      }
    }
  }
}

type Client = Awaited<ReturnType<typeof connect>>

async function connect(url: string) {
  const client = createClient({ url, socket: { reconnectStrategy: false } })
  client.on('error', () => {})
  await client.connect()
  return client
}

/** How node-redis says that the server is gone. */
const GONE = /closed|ECONNRESET|ECONNREFUSED|EPIPE|Socket|Disconnect|Connection/i

function onlyWhenRefused(error: Error): void {
  if (!/rewriting|in progress/i.test(error.message)) throw error
}

function within(name: string, found: number, { answered, sent }: { answered: number; sent: number }): void {
  if (found < answered || found > sent) throw new Error(`${name} is ${found}: ${answered} answered, ${sent} sent`)
}

function later(a: string, b: string): boolean {
  const [aMs, aSeq] = a.split('-').map(Number)
  const [bMs, bSeq] = b.split('-').map(Number)
  return aMs > bMs || (aMs === bMs && aSeq > bSeq)
}
