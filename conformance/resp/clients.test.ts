import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { Engine, Request, type Session } from '../../packages/yeoul/src/engine/index.js'
import { type RunningServer, startRedis } from '../servers.js'
import { comparableEvents, normalise } from './differences.js'
import { type PeerName, peers } from './peers.js'
import { CLIENTS, finalState, type Step, severalClients } from './random-commands.js'
import { decode, RawClient, show, type Value } from './resp.js'

const runs = Number(process.env.DIFFERENTIAL_RUNS ?? 60)
/** The short run is always the same; a long one looks at other sequences each time and prints its seed when it fails. */
const seed =
  process.env.DIFFERENTIAL_SEED !== undefined
    ? Number(process.env.DIFFERENTIAL_SEED)
    : process.env.DIFFERENTIAL_RUNS === undefined
      ? 20_261_122
      : undefined

/** All classes; a listener hears of each change in the order in which it was made. */
const EVENTS = 'KEA'

/** ms after which a reply that the engine gave counts as one that the server does not give. */
const PATIENCE = 2000

/** The clients, one that asks for the state, and one that hears of every event. */
const CONTROL = CLIENTS
const LISTENER = CLIENTS + 1

/** Stands for the number of a client. */
const CLIENT_WORD = /^@[0-2]$/

class OnEngine {
  readonly sessions: Session[]

  constructor(readonly engine: Engine) {
    this.sessions = Array.from({ length: CLIENTS + 2 }, () => engine.createSession())
  }

  waits(client: number): boolean {
    return this.sessions[client].parked !== undefined
  }

  /** Runs a command and answers what every client got from it. */
  run(client: number, command: readonly string[]): Value[][] {
    const words = command.map((word) => (CLIENT_WORD.test(word) ? String(this.sessions[Number(word[1])].id) : word))
    this.engine.execute(this.sessions[client], Request.fromBuffers(words.map((word) => Buffer.from(word, 'latin1'))))
    return this.sessions.map((session) => {
      const bytes = session.output.take()
      const values: Value[] = []
      for (let at = 0; at < bytes.length; ) {
        const decoded = decode(bytes, at)
        if (decoded === undefined) throw new Error(`half a reply to ${JSON.stringify(command)}`)
        values.push(decoded.value)
        at = decoded.end
      }
      return values
    })
  }
}

class OnServer {
  private constructor(
    readonly clients: RawClient[],
    readonly ids: string[],
  ) {}

  static async open(port: number): Promise<OnServer> {
    const clients = await Promise.all(Array.from({ length: CLIENTS + 2 }, () => RawClient.open(port)))
    const ids: string[] = []
    for (const client of clients) {
      const [id] = await client.pipeline([['CLIENT', 'ID']])
      ids.push('text' in id ? id.text : '')
    }
    return new OnServer(clients, ids)
  }

  send(client: number, command: readonly string[]): void {
    this.clients[client].send(command.map((word) => (CLIENT_WORD.test(word) ? this.ids[Number(word[1])] : word)))
  }

  /** As many replies for each client as the engine gave; fewer when they do not come. The listener's are taken later. */
  async take(counts: readonly number[]): Promise<Value[][]> {
    const taken: Value[][] = []
    for (const [i, client] of this.clients.entries()) {
      taken.push(i === LISTENER ? [] : await client.take(counts[i], PATIENCE))
    }
    return taken
  }

  close(): void {
    for (const client of this.clients) client.close()
  }
}

/** What each client asked and got, in order; replies of those who waited come when they were served. */
class Transcript {
  readonly commands: string[][][] = Array.from({ length: CLIENTS + 2 }, () => [])
  readonly ours: Value[][] = Array.from({ length: CLIENTS + 2 }, () => [])
  readonly theirs: Value[][] = Array.from({ length: CLIENTS + 2 }, () => [])
  readonly steps: string[] = []
  /** All replies are there. */
  complete = false

  constructor(readonly peer: PeerName) {}

  add(client: number, command: string[], ours: Value[][], theirs: Value[][]): void {
    if (client !== CONTROL) this.steps.push(`${client}: ${JSON.stringify(command)}`)
    this.commands[client].push(command)
    let missing = false
    for (let i = 0; i < ours.length; i++) {
      this.ours[i].push(...ours[i])
      this.theirs[i].push(...theirs[i])
      missing ||= i !== LISTENER && theirs[i].length < ours[i].length
    }
    if (missing) this.compare()
  }

  compare(): void {
    // What the listener hears is judged at the end: until then it has not been asked for.
    for (let client = 0; client <= (this.complete ? LISTENER : CONTROL); client++) {
      const [wanted, got] = [this.#shown(client, this.theirs[client]), this.#shown(client, this.ours[client])]
      const count = this.complete ? Math.max(got.length, wanted.length) : got.length
      for (let i = 0; i < count; i++) {
        if (wanted[i] === got[i]) continue
        const asked = client === LISTENER ? '' : ` (${JSON.stringify(this.commands[client][i])})`
        throw new Error(
          `client ${client}, reply ${i}${asked} of\n    ${this.steps.join('\n    ')}\n  ${this.peer}: ${wanted[i] ?? 'nothing'}\n  engine: ${got[i] ?? 'nothing'}`,
        )
      }
    }
  }

  #shown(client: number, replies: readonly Value[]): string[] {
    if (client === LISTENER) return comparableEvents(this.peer, replies).map(show)
    return normalise(this.peer, this.commands[client].slice(0, replies.length), replies).map(show)
  }
}

/** Answers how many commands were compared. */
async function compare(peer: PeerName, protocol: '2' | '3', port: number, steps: readonly Step[]): Promise<number> {
  const engine = await Engine.open({ config: { 'notify-keyspace-events': EVENTS } })
  const server = await OnServer.open(port)
  try {
    const ours = new OnEngine(engine)
    const transcript = new Transcript(peer)
    const run = async (client: number, command: string[]) => {
      const here = ours.run(client, command)
      server.send(client, command)
      transcript.add(client, command, here, await server.take(here.map((replies) => replies.length)))
    }
    await server.clients[CONTROL].pipeline([['FLUSHALL']])
    for (let client = 0; client <= LISTENER; client++) {
      ours.run(client, ['HELLO', protocol])
      await server.clients[client].pipeline([['HELLO', protocol]])
    }
    await run(LISTENER, ['PSUBSCRIBE', '__key*__:*'])
    for (const { client, command } of steps) if (!ours.waits(client)) await run(client, command)
    // Whoever waits in the engine has to wait in the server, too, and nobody else.
    for (let client = 0; client < CLIENTS; client++) await run(CONTROL, ['CLIENT', 'UNBLOCK', `@${client}`])
    const here = finalState.map((command) => ours.run(CONTROL, [...command])[CONTROL])
    const there = await server.clients[CONTROL].pipeline(finalState)
    for (const [i, command] of finalState.entries()) {
      const silent = Array.from({ length: CLIENTS }, () => [])
      transcript.add(CONTROL, [...command], [...silent, here[i], []], [...silent, [there[i]], []])
    }
    transcript.theirs[LISTENER].push(...(await server.clients[LISTENER].drain()))
    transcript.complete = true
    transcript.compare()
    return transcript.steps.length
  } finally {
    server.close()
    await engine.close()
  }
}

for (const { name: peer, program } of peers()) {
  describe.runIf(program !== undefined)(`E1 several clients are served as ${peer} serves them`, () => {
    let server: RunningServer
    let compared = 0

    beforeAll(async () => {
      server = await startRedis(['--notify-keyspace-events', EVENTS], { program })
    })

    afterAll(async () => {
      console.log(`${peer}: ${compared} commands of several clients compared, and the state after each sequence`)
      await server?.stop()
    })

    for (const protocol of ['2', '3'] as const) {
      it(`E11 blocking, transactions and events, RESP${protocol}`, { timeout: 3_600_000 }, async () => {
        await fc.assert(
          fc.asyncProperty(severalClients(peer), async (steps) => {
            compared += await compare(peer, protocol, server.port, steps)
          }),
          { numRuns: runs, seed, endOnFailure: false },
        )
      })
    }
  })
}
