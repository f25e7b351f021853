import { Duplex } from 'node:stream'
import { Worker } from 'node:worker_threads'
import type { FromThread, ThreadData } from './pglite-thread.js'

/** Terminate message of the protocol: ends a session; PGlite has one session for its whole life, so it is not passed on. */
const TERMINATE = 0x58

/**
 * The embedded database on a thread of its own, spoken to in PostgreSQL's wire protocol. `stream()` is what `pg` takes in
 * place of a socket; one at a time, since PGlite is a single session.
 */
export class PgliteThread {
  readonly #worker: Worker
  #stream: SessionStream | undefined
  #failure: Error | undefined
  #closed: (() => void) | undefined
  #gone = false

  private constructor(worker: Worker) {
    this.#worker = worker
  }

  /** Opens, and the first time makes, the database in `directory` (absent: in memory). Takes seconds; rejects with the reason. */
  static open(directory: string | undefined): Promise<PgliteThread> {
    const data: ThreadData = { directory }
    const worker = new Worker(threadScript(), { workerData: data, name: 'pglite' })
    const thread = new PgliteThread(worker)
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if (message instanceof Uint8Array) thread.#stream?.deliver(message)
        else if ('ready' in message) resolve(thread)
        else if ('closed' in message) thread.#closed?.()
        else {
          reject(new Error(message.failed))
          thread.#fail(new Error(message.failed))
        }
      })
      worker.on('error', (error) => {
        reject(error)
        thread.#fail(error)
      })
      worker.on('exit', (code) => {
        const error = new Error(`the database thread ended (${code})`)
        thread.#gone = true
        reject(error)
        thread.#fail(error)
        thread.#closed?.()
      })
    })
  }

  stream(): Duplex {
    const stream = new SessionStream((bytes) => this.#worker.postMessage(bytes), this.#failure)
    this.#stream = stream
    return stream
  }

  /** Writes everything out and ends the thread. */
  async close(): Promise<void> {
    if (this.#gone) return
    await new Promise<void>((resolve) => {
      this.#closed = resolve
      this.#worker.postMessage(null)
    })
    await this.#worker.terminate()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#stream?.destroy(error)
  }
}

/** What `pg` uses of a socket, with the thread at the other end. */
class SessionStream extends Duplex {
  readonly #send: (bytes: Uint8Array) => void
  readonly #failure: Error | undefined

  constructor(send: (bytes: Uint8Array) => void, failure: Error | undefined) {
    super()
    this.#send = send
    this.#failure = failure
  }

  connect(): this {
    process.nextTick(() => (this.#failure ? this.destroy(this.#failure) : this.emit('connect')))
    return this
  }

  deliver(bytes: Uint8Array): void {
    if (!this.destroyed) this.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (chunk[0] === TERMINATE) this.push(null)
    else this.#send(chunk)
    done()
  }

  /** `pg` corks the messages of one query: they cross to the thread, and are run, together. */
  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    const messages = chunks.map(({ chunk }) => chunk)
    if (messages.at(-1)?.[0] === TERMINATE) {
      messages.pop()
      this.push(null)
    }
    if (messages.length > 0) this.#send(Buffer.concat(messages))
    done()
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}

/** Node starts a thread from JavaScript only; run from source (tests), the compiled script is in `dist`. */
function threadScript(): URL {
  return import.meta.url.endsWith('.ts')
    ? new URL('../../dist/server/database/pglite-thread.js', import.meta.url)
    : new URL('./pglite-thread.js', import.meta.url)
}
