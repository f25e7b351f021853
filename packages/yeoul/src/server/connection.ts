import type { Socket } from 'node:net'
import type { EngineState } from '../engine/commands/command.js'
import { ProtocolError, RequestParser } from '../engine/resp/parser.js'
import type { Request } from '../engine/resp/request.js'
import type { Peer, Session } from '../engine/session.js'
import type { CommitGate, Gated } from './commit-gate.js'
import { OUTPUT_AHEAD, outputLimit, parserLimits, READ_AHEAD, READ_AHEAD_CROWDED, TURN_MS } from './limits.js'

/** What all connections of a server share. */
export interface Surroundings {
  readonly engine: EngineState
  readonly gate: CommitGate
  /** True while CLIENT PAUSE holds this request back. */
  holds(session: Session, request: Request): boolean
  /** Bytes received ahead by all connections are so many that each has to keep short. */
  readonly crowded: boolean
  /** Runs `connection.proceed` when the turn's input has been served. */
  later(connection: Connection): void
  /** A handler failed in a way that is no reply. */
  report(error: unknown): void
}

/** Small replies leave as strings: they are written to the socket at once, without a buffer that has to stay alive. */
const STRING_BELOW = 8192

/** The largest memory for replies that a busy peer keeps, bytes. */
const OUTPUT_KEPT = 256 * 1024

/**
 * One peer: bytes → requests → engine → replies, in order.
 *
 *     data ─▶ parser ─▶ execute, until nothing is left, or the session is parked, or its turn is over, or unread
 *                       replies pile up ─▶ one write for everything, once the log has what it acknowledges
 */
export class Connection implements Peer, Gated {
  readonly session: Session
  readonly tls: boolean
  readonly #socket: Socket
  readonly #around: Surroundings
  readonly #parser: RequestParser
  #limited: boolean
  /** A request that CLIENT PAUSE holds back. */
  #postponed: Request | undefined
  /** The peer sends no more; what it sent is still answered. */
  #ended = false
  #closed = false
  #running = false
  /** `proceed` is on its way. */
  #scheduled = false
  /** Commands wait until unread replies have left. */
  #full = false
  #reading = true
  /** Bytes of replies that wait for the log, kept by the gate. */
  waiting = 0
  /** Nothing was sent since the last sweep. */
  #quiet = false
  /** Since when unread output has been above the soft limit, monotonic ms; 0 = it is not. */
  #softSince = 0

  constructor(socket: Socket, session: Session, around: Surroundings, tls: boolean) {
    this.#socket = socket
    this.session = session
    this.#around = around
    this.tls = tls
    this.#limited = !session.authenticated
    this.#parser = new RequestParser(parserLimits(around.engine.config, session.authenticated))
    session.peer = this
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('end', () => this.#end())
    socket.on('drain', () => this.proceed())
  }

  get queryBytes(): number {
    return this.#parser.held
  }

  get outputBytes(): number {
    return this.session.output.length + this.waiting + this.#socket.writableLength
  }

  /** Output appeared outside a command of this peer: it leaves at the end of the turn. */
  wake(): void {
    const { hard } = outputLimit(this.#around.engine.config, this.session)
    if (hard > 0 && this.session.output.length > hard) this.#cutOff()
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    this.#around.later(this)
  }

  /** Runs what can run and sends what can leave. */
  proceed(): void {
    this.#scheduled = false
    if (this.#closed || this.#running) return
    this.#running = true
    const position = this.#around.gate.written
    try {
      this.#run()
    } finally {
      this.#running = false
    }
    this.#send(this.#around.gate.written !== position)
    // What was full has left at once: nothing else will call again.
    if (this.#full && this.waiting === 0 && !this.#socket.writableNeedDrain) this.wake()
    this.#balanceReading()
  }

  /** Called by the gate when the log has what these bytes acknowledge. */
  release(bytes: Buffer | string): void {
    if (!this.#closed) this.#write(bytes)
  }

  /** What the gate kept back has left. */
  released(): void {
    this.#socket.uncork()
    if (this.session.closing || this.#parser.held > 0) this.proceed()
  }

  cork(): void {
    this.#socket.cork()
  }

  /** Closes once what was written has left. */
  finish(): void {
    this.session.parked?.end()
    this.session.closing = true
    this.proceed()
  }

  destroy(): void {
    this.#closed = true
    this.#socket.destroy()
  }

  /** The socket is gone. */
  closed(): void {
    this.#closed = true
    this.session.peer = undefined
  }

  /** The configuration changed what a peer may send. */
  limit(): void {
    this.#parser.limits = parserLimits(this.#around.engine.config, !this.#limited)
  }

  /** Once a second: memory that is not needed, and unread output above the soft limit for too long; `now` in monotonic ms. */
  sweep(now: number): void {
    if (this.#quiet) {
      this.session.output.relax()
      this.#parser.relax()
    }
    this.#quiet = true
    const { soft, seconds } = outputLimit(this.#around.engine.config, this.session)
    if (soft === 0 || this.outputBytes <= soft) this.#softSince = 0
    else if (this.#softSince === 0) this.#softSince = now
    else if (now - this.#softSince >= seconds * 1000) this.#cutOff()
  }

  #receive(chunk: Buffer): void {
    this.#around.engine.stats.netInput += chunk.length
    this.#parser.push(chunk)
    if (!this.#scheduled) this.proceed()
    else this.#balanceReading()
  }

  #end(): void {
    this.#ended = true
    // Whoever waits for entries would be given some that it cannot acknowledge any more.
    if (this.session.parked !== undefined) this.destroy()
    else this.proceed()
  }

  #run(): void {
    const { session } = this
    const { engine } = this.#around
    let started = 0
    let served = 0
    // Nothing is written to the socket while commands run, so what is unread there stays what it is.
    const room = OUTPUT_AHEAD - this.waiting - this.#socket.writableLength
    this.#full = false
    while (!session.closing && session.parked === undefined) {
      if (session.output.length > room) {
        this.#full = true
        return
      }
      let request = this.#postponed
      if (request === undefined) {
        try {
          request = this.#parser.next()
        } catch (error) {
          this.#refuse(error)
          return
        }
        if (request === undefined) {
          if (this.#ended) session.closing = true
          return
        }
        if (isForeign(request)) {
          this.destroy()
          return
        }
      }
      if (this.#around.holds(session, request)) {
        this.#postponed ??= request.retain()
        return
      }
      this.#postponed = undefined
      try {
        if (served === 0) engine.execute(session, request)
        else engine.executeNext(session, request)
      } catch (error) {
        this.#around.report(error)
        session.output.error('ERR internal error; the connection is closed')
        session.closing = true
        return
      }
      if (this.#limited && session.authenticated) {
        this.#limited = false
        this.#parser.limits = parserLimits(engine.config, true)
      }
      // The clock is looked at rarely: it costs as much as a small command.
      if ((++served & 31) === 0) {
        const now = performance.now()
        if (started === 0) started = now
        else if (now - started > TURN_MS) {
          if (!this.#scheduled) {
            this.#scheduled = true
            this.#around.later(this)
          }
          return
        }
      }
    }
  }

  #refuse(error: unknown): void {
    const { session } = this
    session.closing = true
    if (!(error instanceof ProtocolError)) this.#around.report(error)
    else if (error.text === 'client query buffer limit exceeded') {
      this.#around.engine.stats.queryBufferDisconnections++
      this.destroy()
    } else session.output.error(`ERR Protocol error: ${error.text}`)
  }

  #send(wrote: boolean): void {
    const { session } = this
    const { output } = session
    const { length } = output
    if (length > 0) {
      this.#quiet = false
      this.#around.engine.stats.netOutput += length
      const { gate } = this.#around
      if (length < STRING_BELOW) {
        const text = output.bytes.toString('latin1', 0, length)
        output.length = 0
        if (gate.pass(this, wrote)) this.#socket.write(text, 'latin1')
        else gate.keep(this, text)
      } else if (gate.pass(this, wrote)) {
        this.#socket.write(output.bytes.subarray(0, length))
        // What the system has taken at once leaves the memory to the next reply.
        if (this.#socket.writableLength === 0 && output.bytes.length <= OUTPUT_KEPT) output.length = 0
        else output.take()
      } else gate.keep(this, output.take())
      const { hard } = outputLimit(this.#around.engine.config, session)
      if (hard > 0 && this.outputBytes > hard) this.#cutOff()
    }
    if (session.closing && this.waiting === 0 && !this.#closed) {
      this.#closed = true
      this.#socket.destroySoon()
    }
  }

  #write(bytes: Buffer | string): void {
    if (typeof bytes === 'string') this.#socket.write(bytes, 'latin1')
    else this.#socket.write(bytes)
  }

  #cutOff(): void {
    this.#around.engine.stats.outputBufferDisconnections++
    this.destroy()
  }

  /** Stops receiving while commands have to wait and enough is held already. */
  #balanceReading(): void {
    const { session } = this
    const waits = session.parked !== undefined || this.#scheduled || this.#postponed !== undefined || this.#full
    const read = !waits || this.#parser.held < (this.#around.crowded ? READ_AHEAD_CROWDED : READ_AHEAD)
    if (read === this.#reading || this.#closed) return
    this.#reading = read
    if (read) this.#socket.resume()
    else this.#socket.pause()
  }
}

/** A browser made to talk to this port: `POST / HTTP/1.1`, `Host: …`. It is never answered. */
function isForeign(request: Request): boolean {
  return request.is(0, 'POST') || request.is(0, 'HOST:')
}
