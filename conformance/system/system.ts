import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import type { ChatMessage, ClientFrame, ServerFrame } from '../../apps/chat/server/protocol.js'

const main = fileURLToPath(new URL('../../apps/chat/dist/server/main.js', import.meta.url))

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

export async function temporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'yeoul-system-'))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) }
}

/** The whole system as `npm start` runs it, in a process of its own. */
export class System {
  output = ''
  private constructor(
    readonly child: ChildProcess,
    readonly port: number,
    readonly respPort: number,
  ) {
    const keep = (chunk: Buffer) => {
      this.output = (this.output + chunk).slice(-20_000)
    }
    child.stdout!.on('data', keep)
    child.stderr!.on('data', keep)
  }

  /** Resolves when it is healthy; rejects with what it printed when it ends instead. */
  static async start(options: {
    directory: string
    port?: number
    respPort?: number
    environment?: Record<string, string>
  }): Promise<System> {
    const port = options.port ?? (await freePort())
    const respPort = options.respPort ?? (await freePort())
    const child = spawn(process.execPath, [main], {
      cwd: options.directory,
      env: {
        ...process.env,
        YEOUL_URL: '',
        DATABASE_URL: '',
        YEOUL_DIR: join(options.directory, '.yeoul'),
        ...options.environment,
        PORT: String(port),
        RESP_PORT: String(respPort),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const system = new System(child, port, respPort)
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`the system ended (${code ?? signal}) before it was healthy:\n${system.output}`)
    })
    await Promise.race([ended, system.healthy()])
    ended.catch(() => {})
    return system
  }

  async healthy(): Promise<void> {
    for (;;) {
      try {
        if ((await fetch(`${this.url}/healthz`)).ok) return
      } catch {
        if (this.child.exitCode !== null) return
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** As Ctrl-C: drains; answers the exit status. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode
    const exit = once(this.child, 'exit')
    this.child.kill(signal)
    const [code] = await exit
    return code as number | null
  }

  /** As the kernel does it when memory runs out. */
  async kill(): Promise<void> {
    await this.stop('SIGKILL')
  }

  async json<T>(path: string, init?: RequestInit): Promise<T> {
    const response = await fetch(`${this.url}${path}`, init)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  /** A room's whole history by paging, ascending. */
  async history(room: string): Promise<ChatMessage[]> {
    const all: ChatMessage[] = []
    let before: number | undefined
    for (;;) {
      const query = before === undefined ? '' : `&before=${before}`
      const page = await this.json<{ messages: ChatMessage[]; more: boolean }>(
        `/api/rooms/${encodeURIComponent(room)}/messages?limit=200${query}`,
      )
      all.unshift(...page.messages)
      if (!page.more || page.messages.length === 0) return all
      before = page.messages[0].seq
    }
  }
}

/**
 * A chat client as the page is one: keeps unacknowledged messages and sends them again under the same client ids after a
 * reconnect, orders what it gets by sequence, asks for what is missing.
 */
export class Chatter {
  readonly received = new Map<number, ChatMessage>()
  /** Frames that carried a sequence seen before with other content: must stay empty. */
  readonly conflicts: ChatMessage[] = []
  readonly acknowledged = new Map<string, { id: string; seq: number }>()
  readonly unacknowledged = new Map<string, string>()
  top = 0
  #socket: WebSocket | undefined
  #changed = new Set<() => void>()

  constructor(
    readonly user: string,
    readonly room: string,
  ) {}

  async connect(system: System): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${system.port}/ws`, { origin: system.url })
    this.#socket = socket
    socket.on('error', () => {})
    socket.on('message', (data) => this.#onFrame(JSON.parse(String(data)) as ServerFrame))
    socket.on('close', () => this.#notify())
    await once(socket, 'open')
    this.#send({ type: 'hello', user: this.user, rooms: { [this.room]: this.contiguous } })
    for (const [clientId, text] of this.unacknowledged) this.#send({ type: 'send', room: this.room, clientId, text })
  }

  /** Highest sequence below which nothing is missing. */
  get contiguous(): number {
    let seq = 0
    while (this.received.has(seq + 1)) seq++
    return seq
  }

  say(clientId: string, text: string): void {
    this.unacknowledged.set(clientId, text)
    this.#send({ type: 'send', room: this.room, clientId, text })
  }

  read(seq: number): void {
    this.#send({ type: 'read', room: this.room, seq })
  }

  /** Resolves as soon as the condition holds; looked at after every frame. */
  async until(condition: () => boolean, what: string): Promise<void> {
    if (condition()) return
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#changed.delete(check)
        reject(
          new Error(
            `${this.user} waited in vain until ${what}: ${this.acknowledged.size} acknowledged, ${this.unacknowledged.size} not, ${this.received.size} received, top ${this.top}`,
          ),
        )
      }, 20_000)
      const check = () => {
        if (!condition()) return
        clearTimeout(timer)
        this.#changed.delete(check)
        resolve()
      }
      this.#changed.add(check)
    })
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  disconnect(): void {
    this.#socket?.terminate()
  }

  #send(frame: ClientFrame): void {
    if (this.connected) this.#socket!.send(JSON.stringify(frame))
  }

  #onFrame(frame: ServerFrame): void {
    if (frame.type === 'message') this.#take(frame.message)
    else if (frame.type === 'messages' && frame.room === this.room) {
      for (const message of frame.messages) this.#take(message)
      this.top = Math.max(this.top, frame.top)
    } else if (frame.type === 'refused' && frame.code === 'rate_limited') {
      const { clientId } = frame
      const text = clientId === undefined ? undefined : this.unacknowledged.get(clientId)
      if (clientId !== undefined && text !== undefined) {
        setTimeout(() => this.say(clientId, text), frame.retryAfter ?? 100)
      }
    } else if (frame.type === 'sent') {
      this.acknowledged.set(frame.clientId, { id: frame.id, seq: frame.seq })
      this.unacknowledged.delete(frame.clientId)
    }
    this.#notify()
  }

  #take(message: ChatMessage): void {
    if (message.room !== this.room) return
    const known = this.received.get(message.seq)
    if (known !== undefined && known.id !== message.id) this.conflicts.push(message)
    this.received.set(message.seq, message)
    this.top = Math.max(this.top, message.seq)
    const missing = this.contiguous + 1
    if (missing < message.seq && !this.received.has(missing)) {
      this.#send({ type: 'fill', room: this.room, from: missing, to: message.seq - 1 })
    }
  }

  #notify(): void {
    for (const check of [...this.#changed]) check()
  }
}
