import { checkAppendOnly } from '../../packages/yeoul/src/engine/aof/check.js'
import type { AppendFsync } from '../../packages/yeoul/src/engine/aof/log.js'
import { LOG_DIRECTORY, readManifest, replayOrder } from '../../packages/yeoul/src/engine/aof/manifest.js'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { ManualClock } from '../../packages/yeoul/src/engine/io/manual-clock.js'
import { MemoryStorage, type Operation } from '../../packages/yeoul/src/engine/io/memory-storage.js'
import { Request } from '../../packages/yeoul/src/engine/resp/request.js'
import type { Session } from '../../packages/yeoul/src/engine/session.js'
import { Stream } from '../../packages/yeoul/src/engine/stream/stream.js'
import { type HistoryOptions, nextCommand } from './history.js'
import { Model } from './model.js'
import { pick, type Random, random } from './random.js'
import { linesOfEngine, linesOfModel } from './state.js'

/**
 * The whole engine on a simulated disk. A seed is a history: several lives of an engine, each ended by a crash of the
 * machine, of the process, or by closing; in each a few sessions send random commands while compactions run, the disk is slow
 * and now and then refuses. After each life the engine is opened on what the crash left and its data compared with the
 * model's after some number of the commands that were sent: at least those that were acknowledged, none of them half. That
 * the position of every stream is part of the data means that no acknowledged ID is given again.
 */
export interface SimulationOptions {
  /** Breaks a promise on purpose: the simulation must notice. */
  sabotage?: Sabotage
  /** Take an image before every operation of the disk, not at one of them, and recover from each of them. */
  everyStep?: boolean
}

export type Sabotage =
  /** datasync answers without syncing. */
  | 'sync ignored'
  /** Names are never made durable. */
  | 'directory sync ignored'
  /** A write answers, but is not done. */
  | 'write skipped'
  /** A failed datasync is reported as done. */
  | 'failure swallowed'
  /** A command counts as acknowledged when it has run. */
  | 'acknowledged early'
  /** Some effects are not logged. */
  | 'effect lost'

export interface Findings {
  lives: number
  commands: number
  /** Crashes recovered from: of the machine, and of the process alone. */
  crashes: number
  /** Acknowledged commands that were behind a crash. */
  acknowledged: number
  /** Commands refused because the disk failed. */
  refused: number
  rewrites: number
  /** Damaged tails that opening cut off. */
  cuts: number
  /** Crashes with misdirected sectors that opening left to `check-aof --fix`. */
  repaired: number
}

export function noFindings(): Findings {
  return { lives: 0, commands: 0, crashes: 0, acknowledged: 0, refused: 0, rewrites: 0, cuts: 0, repaired: 0 }
}

const DIRECTORY = '/data'
/** everysec: a second, and the steps of the clock in which the sync that is due is still under way. */
const EVERYSEC = 1000
const LONGEST_STEP = 300
const UNDER_WAY = 2 * LONGEST_STEP
const TROUBLE_SETTLES = 20_000

type Kind = 'machine' | 'process'

/** What happened at once: a command, a transaction, and the waiting readers that were served behind it. */
interface Executed {
  commands: Command[]
  now: number
}

interface Command {
  database: number
  words: string[]
}

interface Waiting {
  session: Session
  database: number
  group: string
  consumer: string
  /** What it asked for, as a command that does not wait. */
  words: string[]
}

/** What is left if the machine stops here, and what must then still be there. */
interface Image {
  storage: MemoryStorage
  operation: string
  now: number
  /** Commands of this life that must survive a crash of … */
  promised: Record<Kind, number>
}

export async function simulate(seed: number, options: SimulationOptions = {}, findings = noFindings()): Promise<void> {
  const below = random(seed)
  const simulation = new Simulation(below, options, findings)
  const lives = 1 + below(options.everyStep ? 2 : 4)
  try {
    for (let life = 0; life < lives; life++) await simulation.live()
  } catch (error) {
    const reason = error instanceof Error ? error : new Error(String(error))
    const message = reason.message.replace(/x{9,}/g, (run) => `x…${run.length}`)
    throw new Error(`seed ${seed}, life ${simulation.lives}: ${message}`, { cause: reason })
  }
}

class Simulation {
  lives = 0
  #storage = new MemoryStorage()
  /** State at the beginning of this life. */
  #model = new Model()
  #now: number
  readonly #policy: AppendFsync
  /** Time goes back between lives; then nothing expires, for the model would have to know what was still deleted in time. */
  readonly #backwards: boolean

  constructor(
    readonly below: Random,
    readonly options: SimulationOptions,
    readonly findings: Findings,
  ) {
    this.#policy = pick(below, ['always', 'always', 'everysec', 'no'])
    this.#backwards = below(3) === 0
    // Small clocks make generated IDs meet explicit ones.
    this.#now = below(2) === 0 ? 10 : 1_700_000_000_000
  }

  async live(): Promise<void> {
    const { below, options, findings } = this
    this.lives++
    findings.lives++
    if (this.#backwards) this.#now = Math.max(10, this.#now - below(3000))
    const life = new Life(
      below,
      options,
      findings,
      this.#storage,
      this.#model,
      this.#now,
      this.#policy,
      !this.#backwards,
    )
    await life.run()
    for (const [i, image] of life.images.entries()) {
      const last = i === life.images.length - 1
      const kinds: Kind[] = options.everyStep ? ['machine', 'process'] : [below(4) === 0 ? 'process' : 'machine']
      for (const kind of kinds) {
        const storage = image.storage.clone()
        const misdirect = kind === 'machine' && below(4) === 0
        storage.crash(kind === 'process' ? {} : { random: below, misdirect })
        findings.crashes++
        const survived = await this.#recover(life, image, storage, kind, misdirect)
        if (!last || kind !== kinds.at(-1)) continue
        this.#storage = storage
        this.#model = survived
        this.#now = image.now
      }
    }
  }

  /** Opens a copy of what the crash left, compares, and answers the model as it is from here on. */
  async #recover(life: Life, image: Image, storage: MemoryStorage, kind: Kind, misdirect: boolean): Promise<Model> {
    const { findings } = this
    const promised = image.promised[kind]
    findings.acknowledged += promised
    const where = `after a crash of the ${kind} before ${image.operation}`
    const clock = new ManualClock(image.now)
    let engine: Engine
    try {
      engine = await Engine.open({ directory: DIRECTORY, storage, clock, appendfsync: 'no' })
    } catch (error) {
      // A sector in a wrong place looks like a changed bit: that may be refused, and repaired by hand.
      const code = (error as { code?: unknown }).code
      if (!misdirect || code !== 'CORRUPT_LOG')
        throw new Error(`${where}: ${(error as Error).message}`, { cause: error })
      await checkAppendOnly(DIRECTORY, storage, { fix: true })
      findings.repaired++
      engine = await Engine.open({ directory: DIRECTORY, storage, clock, appendfsync: 'no' })
    }
    findings.cuts += engine.log?.cuts.length ?? 0
    const found = linesOfEngine(engine, image.now)
    await engine.close()
    storage.crash()
    const model = life.start.clone()
    let nearest = { differing: Number.POSITIVE_INFINITY, text: '' }
    for (let i = 0; ; i++) {
      if (i >= promised) {
        const { differing, text } = compare(found, linesOfModel(model, image.now))
        if (differing === 0) {
          model.expire(image.now)
          return model
        }
        if (differing < nearest.differing) nearest = { differing, text: `after ${i} commands\n${text}` }
      }
      if (i === life.executed.length) break
      replay(model, life.executed[i])
    }
    throw new Error(
      `${where}, ${promised} of ${life.executed.length} commands promised, the data is that of no moment since.\n` +
        `Nearest is that ${nearest.text}\ncommands:\n${life.describe()}`,
    )
  }
}

/** Which lines are in one of them only. */
function compare(found: readonly string[], expected: readonly string[]): { differing: number; text: string } {
  const lines = [
    ...found.filter((line) => !expected.includes(line)).map((line) => `found     ${line}`),
    ...expected.filter((line) => !found.includes(line)).map((line) => `expected  ${line}`),
  ]
  return { differing: lines.length, text: lines.join('\n') }
}

function replay(model: Model, { commands, now }: Executed): void {
  for (const { database, words } of commands) model.run(database, words, now)
}

/** One engine from opening to its end. */
class Life {
  readonly images: Image[] = []
  readonly executed: Executed[] = []
  /** State when it began. */
  readonly start: Model
  /** State now. */
  readonly #model: Model
  readonly #clock: ManualClock
  #operations = 0
  readonly #history: HistoryOptions
  readonly #crashAt: number
  readonly #images: Random
  #acknowledged = 0
  #synced = 0
  #troubleAt = Number.NEGATIVE_INFINITY
  #waiting: Waiting[] = []
  readonly #errors: Error[] = []

  constructor(
    readonly below: Random,
    readonly options: SimulationOptions,
    readonly findings: Findings,
    readonly storage: MemoryStorage,
    model: Model,
    now: number,
    readonly policy: AppendFsync,
    expiring: boolean,
  ) {
    this.start = model.clone()
    this.#history = { expiring, newer: true }
    this.#model = model.clone()
    this.#clock = new ManualClock(now)
    this.#crashAt = below(options.everyStep ? 1 : 3) === 0 ? below(12) : below(90)
    this.#images = random(below(1_000_000))
  }

  describe(): string {
    return this.executed
      .map(({ commands, now }, i) => {
        const lines = commands.map(
          ({ database, words }) => `db${database} ${words.map((word) => JSON.stringify(word)).join(' ')}`,
        )
        return `${i} @${now} ${lines.join(' ; ')}`
      })
      .join('\n')
  }

  get #crashed(): boolean {
    return this.images.length > 0 && !this.options.everyStep
  }

  async run(): Promise<void> {
    const { below, storage } = this
    this.#watch()
    const engine = await this.#open()
    if (engine === undefined) return
    this.#same(engine, 'after opening')
    await this.#clean()
    if (this.options.sabotage === 'effect lost' && engine.log !== undefined) engine.log.effect = () => {}
    const sessions = [0, 1, 2].map(() => engine.createSession())
    const waiters = [0, 1].map(() => engine.createSession())
    const queued = new Map<Session, string[][]>()
    for (let steps = below(this.options.everyStep ? 25 : 60); steps > 0 && !this.#crashed; steps--) {
      this.#trouble(engine)
      const session = pick(below, sessions)
      const free = waiters.filter((waiter) => waiter.parked === undefined)
      if (below(20) === 0 && free.length > 0) this.#wait(engine, free[0])
      else if (below(12) === 0 && !queued.has(session)) queued.set(session, [])
      else if (below(40) === 0) this.#rewrite(engine)
      else this.#step(engine, session, queued)
      if (below(3) > 0) await this.#endTurn(engine)
      if (below(3) > 0) this.#advance(below(15))
      else {
        this.#advance(below(LONGEST_STEP))
        await turns(6)
      }
      if (below(14) === 0) this.#fault()
    }
    if (!this.#crashed) await this.#finish(engine)
    await this.#leave(engine, storage)
    if (this.#errors.length > 0) throw this.#errors[0]
  }

  /** Every operation of the disk passes here: crashes happen before one, and some take a while. */
  #watch(): void {
    const { storage, options } = this
    storage.before = (operation, path) => {
      if (options.everyStep || this.#operations === this.#crashAt) this.#capture(`${operation} ${path}`)
      this.#operations++
      if (this.#images(4) === 0) return turns(1 + this.#images(3))
    }
    if (options.sabotage !== undefined) sabotage(storage, options.sabotage)
  }

  #capture(operation: string): void {
    const now = this.#clock.now()
    this.images.push({
      storage: this.storage.clone(),
      operation,
      now,
      promised: { machine: this.#promised(now), process: this.#acknowledged },
    })
  }

  /** Commands that the policy promises to be there after a crash of the machine. */
  #promised(now: number): number {
    if (this.policy === 'always') return this.#acknowledged
    if (this.policy === 'no' || now - this.#troubleAt < TROUBLE_SETTLES) return this.#synced
    const due = this.executed.findLastIndex((each) => each.now <= now - EVERYSEC - UNDER_WAY)
    return Math.max(this.#synced, due + 1)
  }

  /** Undefined when the crash came while it was opening. */
  async #open(): Promise<Engine | undefined> {
    const { below, storage, policy } = this
    for (;;) {
      if (below(6) === 0) this.#fault()
      try {
        return await Engine.open({
          directory: DIRECTORY,
          storage,
          clock: this.#clock,
          appendfsync: policy,
          config: {
            'stream-node-max-entries': '3',
            'auto-aof-rewrite-min-size': pick(below, ['1500', '4000']),
            'auto-aof-rewrite-percentage': '50',
          },
          onError: (error) => {
            if (!isFault(error) && error.name !== 'RewriteAbandoned') this.#errors.push(error)
          },
        })
      } catch (error) {
        if (!isFault(error)) throw error
        if (this.#crashed) return undefined
        storage.heal()
      }
    }
  }

  /** Sends one command, or a whole transaction; what it changed is what the model says. */
  #step(engine: Engine, session: Session, queued: Map<Session, string[][]>): void {
    const { below } = this
    const now = this.#clock.now()
    const transaction = queued.get(session)
    if (transaction !== undefined && (transaction.length === 0 || (transaction.length < 4 && below(4) > 0))) {
      transaction.push(nextCommand(below, this.#model, session.database, now, this.#history))
      return
    }
    if (transaction !== undefined) {
      queued.delete(session)
      send(engine, session, ['MULTI'])
      for (const command of transaction) send(engine, session, command)
      const reply = send(engine, session, ['EXEC'])
      // Functions are refused one by one; whatever else there is makes EXEC refuse the whole.
      if (reply.includes('-MISCONF') && reply.startsWith('*')) this.findings.refused += transaction.length
      else if (reply.startsWith('*')) this.#done(engine, session.database, transaction, now)
      else if (!reply.startsWith('-MISCONF') && !reply.startsWith('-EXECABORT')) throw new Error(`EXEC: ${reply}`)
      if (session.transaction !== undefined) send(engine, session, ['DISCARD'])
      return
    }
    if (below(15) === 0) {
      send(engine, session, ['SELECT', String(below(2))])
      return
    }
    const rare = below(60) === 0 && pick(below, [['FLUSHDB'], ['SWAPDB', '0', '1']])
    this.#run(engine, session, rare || nextCommand(below, this.#model, session.database, now, this.#history))
  }

  #run(engine: Engine, session: Session, command: string[]): void {
    const failing = engine.failure !== undefined
    const reply = send(engine, session, command)
    const refused = reply.startsWith('-MISCONF')
    if (refused !== failing) throw new Error(`${command.join(' ')} answers ${reply} while failure is ${engine.failure}`)
    if (refused) {
      this.findings.refused++
      // Reads go on.
      const read = send(engine, session, ['EXISTS', 's'])
      if (!read.startsWith(':')) throw new Error(`a read answers ${read} while the disk fails`)
    } else this.#done(engine, session.database, [command], this.#clock.now())
  }

  #done(engine: Engine, database: number, sent: string[][], now: number): void {
    this.findings.commands += sent.length
    const executed: Executed = { commands: sent.map((words) => ({ database, words })), now }
    for (const { session, database, words } of this.#waiting.filter(({ session }) => session.parked === undefined)) {
      // An error says that the group is gone; that changes nothing.
      if (session.output.take().toString('latin1').startsWith('*')) executed.commands.push({ database, words })
    }
    this.#waiting = this.#waiting.filter(({ session }) => session.parked !== undefined)
    replay(this.#model, executed)
    // Whoever looked again and found nothing may have made its consumer; that much is taken from the engine.
    for (const waiting of this.#waiting) {
      const create = consumerMade(engine, waiting)
      if (create !== undefined) {
        executed.commands.push({ database: waiting.database, words: create })
        this.#model.run(waiting.database, create, now)
      }
    }
    this.executed.push(executed)
    if (this.options.sabotage === 'acknowledged early') this.#acknowledged = this.executed.length
  }

  /** A reader that waits until something comes. */
  #wait(engine: Engine, session: Session): void {
    const group = pick(this.below, ['g', 'g', 'h'])
    const consumer = pick(this.below, ['a', 'w'])
    const reading = ['XREADGROUP', 'GROUP', group, consumer, 'COUNT', '1']
    const words = [...reading, 'STREAMS', 's', '>']
    const reply = send(engine, session, [...reading, 'BLOCK', '0', 'STREAMS', 's', '>'])
    if (session.parked !== undefined) {
      this.#waiting.push({ session, database: session.database, group, consumer, words })
      this.#done(engine, session.database, [], this.#clock.now())
    } else if (reply.startsWith('*')) this.#done(engine, session.database, [words], this.#clock.now())
  }

  #rewrite(engine: Engine): void {
    engine.rewriteLog().then(
      () => this.findings.rewrites++,
      (error: Error) => {
        if (!isFault(error) && error.name !== 'RewriteAbandoned') this.#errors.push(error)
      },
    )
  }

  /** What was sent so far is acknowledged when the log says so. */
  async #endTurn(engine: Engine): Promise<void> {
    const { below } = this
    const sent = this.executed.length
    const acknowledge = () => {
      this.#acknowledged = Math.max(this.#acknowledged, sent)
    }
    const committed = engine.committed()
    if (committed === undefined) acknowledge()
    else committed.then(acknowledge, () => {})
    if (below(10) === 0) {
      engine.log?.sync().then(
        () => {
          this.#synced = Math.max(this.#synced, sent)
        },
        () => {},
      )
    }
    await turns(below(6))
  }

  #advance(milliseconds: number): void {
    this.#clock.advance(milliseconds)
  }

  #fault(): void {
    const { below, storage } = this
    const operations = [
      'write',
      'write',
      'datasync',
      'datasync',
      'truncate',
      'rename',
      'unlink',
      'open',
      'syncDirectory',
    ]
    const operation = pick(below, operations) as Operation
    const code = pick(below, ['EIO', 'ENOSPC', 'EROFS'])
    storage.failNext(operation, code, { times: 1 + below(3), taken: below(900) })
    this.#troubleAt = this.#clock.now()
  }

  #trouble(engine: Engine): void {
    if (engine.failure !== undefined) this.#troubleAt = this.#clock.now()
  }

  /** The disk works again: everything gets through. Then the engine is closed, or the machine stops. */
  async #finish(engine: Engine): Promise<void> {
    const { below, storage } = this
    storage.heal()
    // What failed before is told first.
    await turns(5)
    for (let i = 0; engine.failure !== undefined || engine.log?.durable !== engine.log?.written; i++) {
      if (i === 400) throw new Error(`the log does not recover: ${engine.failure}`)
      this.#advance(LONGEST_STEP)
      await turns(4)
    }
    if (this.#crashed) return
    this.#acknowledged = this.executed.length
    this.#same(engine, 'before its end')
    if (below(2) === 0) {
      await engine.log?.sync()
      this.#synced = this.executed.length
    }
    if (this.images.length === 0 || this.options.everyStep) this.#capture('its end')
  }

  async #leave(engine: Engine, storage: MemoryStorage): Promise<void> {
    storage.before = undefined
    storage.heal()
    await engine.close()
  }

  #same(engine: Engine, when: string): void {
    const now = this.#clock.now()
    const { differing, text } = compare(linesOfEngine(engine, now), linesOfModel(this.#model, now))
    if (differing > 0) throw new Error(`${when} the data differs\n${text}\ncommands:\n${this.describe()}`)
  }

  /** No file is there that the manifest does not list, except what was cut off and kept. */
  async #clean(): Promise<void> {
    if (this.images.length > 0) return
    const manifest = await readManifest(this.storage, DIRECTORY)
    const listed = new Set(['appendonly.aof.manifest', ...replayOrder(manifest!).map(({ name }) => name)])
    const odd = (await this.storage.list(`${DIRECTORY}/${LOG_DIRECTORY}`)).filter(
      (name) => !listed.has(name) && !name.includes('.cut-'),
    )
    if (odd.length > 0 || manifest!.history.length > 0) throw new Error(`opening left ${odd} behind`)
  }
}

function consumerMade(engine: Engine, { database, group, consumer }: Waiting): string[] | undefined {
  const { keys, values } = engine.databases[database]
  const stream = values[keys.indexOf('s')]
  const made = stream instanceof Stream && stream.groups.get(group)?.consumers.has(consumer)
  return made ? ['XGROUP', 'CREATECONSUMER', 's', group, consumer] : undefined
}

function send(engine: Engine, session: Session, words: readonly string[]): string {
  engine.execute(session, Request.fromBuffers(words.map((word) => Buffer.from(word, 'latin1'))))
  const reply = session.output.take().toString('latin1')
  if (MALFORMED.test(reply)) throw new Error(`the engine does not know ${words.join(' ')}: ${reply}`)
  return reply
}

/** Errors that only a history can cause that is not made of commands of the engine. */
const MALFORMED = /-ERR (unknown|wrong number|syntax error|Function not found|yeoul_\w+ takes|an entry|a delivery)/

function isFault(error: unknown): boolean {
  return ['EIO', 'ENOSPC', 'EROFS'].includes(String((error as { code?: unknown }).code))
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Makes the disk lie. */
function sabotage(storage: MemoryStorage, kind: Sabotage): void {
  const open = storage.open.bind(storage)
  let writes = 0
  if (kind === 'directory sync ignored') storage.syncDirectory = async () => {}
  storage.open = async (path, mode) => {
    const file = await open(path, mode)
    const { write, datasync } = file
    if (kind === 'sync ignored') file.datasync = async () => {}
    if (kind === 'failure swallowed') file.datasync = () => datasync().catch(() => {})
    if (kind === 'write skipped') {
      file.write = (position, bytes) =>
        path.includes('.incr.') && ++writes % 7 === 0 ? Promise.resolve() : write(position, bytes)
    }
    return file
  }
}
