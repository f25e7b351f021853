import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A reply taken apart: its type byte with what it holds, so that equal values are equal bytes. */
export type Value =
  | { type: '+' | '-' | ':' | ',' | '#' | '(' | '$' | '='; text: string }
  | { type: 'null'; text: '$-1' | '*-1' | '_' }
  | { type: '*' | '~' | '%' | '>'; items: Value[] }

/** Decodes the value at `at`; undefined when it is not whole yet. Text is latin1. */
export function decode(bytes: Buffer, at: number): { value: Value; end: number } | undefined {
  const eol = bytes.indexOf('\r\n', at, 'latin1')
  if (eol < 0) return undefined
  const type = String.fromCharCode(bytes[at])
  const line = bytes.toString('latin1', at + 1, eol)
  const next = eol + 2
  switch (type) {
    case '+':
    case '-':
    case ':':
    case ',':
    case '#':
    case '(':
      return { value: { type, text: line }, end: next }
    case '_':
      return { value: { type: 'null', text: '_' }, end: next }
    case '$':
    case '=': {
      const size = Number(line)
      if (size < 0) return { value: { type: 'null', text: '$-1' }, end: next }
      if (bytes.length < next + size + 2) return undefined
      return { value: { type, text: bytes.toString('latin1', next, next + size) }, end: next + size + 2 }
    }
    case '*':
    case '~':
    case '>':
    case '%': {
      if (line === '-1') return { value: { type: 'null', text: '*-1' }, end: next }
      const items: Value[] = []
      let end = next
      for (let i = Number(line) * (type === '%' ? 2 : 1); i > 0; i--) {
        const item = decode(bytes, end)
        if (item === undefined) return undefined
        items.push(item.value)
        end = item.end
      }
      return { value: { type, items }, end }
    }
    default:
      throw new Error(`no RESP at ${at}: ${JSON.stringify(bytes.toString('latin1', at, at + 40))}`)
  }
}

/** A reply as one readable line. */
export function show(value: Value): string {
  if ('items' in value) return `${value.type}[${value.items.map(show).join(' ')}]`
  return value.type === 'null' ? value.text : `${value.type}${JSON.stringify(value.text)}`
}

export function encode(args: readonly string[]): Buffer {
  let text = `*${args.length}\r\n`
  for (const arg of args) text += `$${arg.length}\r\n${arg}\r\n`
  return Buffer.from(text, 'latin1')
}

/** A connection that speaks bytes. */
export class RawClient {
  #held: Buffer = Buffer.alloc(0)
  #replies: Value[] = []
  #waiting: (() => void) | undefined

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
      let at = 0
      for (let next = decode(this.#held, at); next !== undefined; next = decode(this.#held, at)) {
        this.#replies.push(next.value)
        at = next.end
        if (at === this.#held.length) break
      }
      this.#held = this.#held.subarray(at)
      this.#waiting?.()
    })
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  /** Sends all commands in one write and answers one reply each. */
  async pipeline(commands: readonly (readonly string[])[]): Promise<Value[]> {
    this.socket.write(Buffer.concat(commands.map(encode)))
    return this.take(commands.length)
  }

  send(command: readonly string[]): void {
    this.socket.write(encode(command))
  }

  /** The next `count` replies; fewer when they have not come after so many milliseconds. */
  async take(count: number, milliseconds = 60_000): Promise<Value[]> {
    if (this.#replies.length < count) {
      let late = false
      const deadline = setTimeout(() => {
        late = true
        this.#waiting?.()
      }, milliseconds)
      while (this.#replies.length < count && !late) {
        await new Promise<void>((resolve) => {
          this.#waiting = resolve
        })
      }
      clearTimeout(deadline)
    }
    return this.#replies.splice(0, count)
  }

  /** Everything that comes before the answer to a PING, which itself is left out. */
  async drain(): Promise<Value[]> {
    this.send(['PING', 'drained'])
    const drained: Value[] = []
    for (;;) {
      const [value] = await this.take(1)
      if (value === undefined) throw new Error('PING is not answered')
      // A RESP2 subscriber gets it as an array of two.
      const last = 'items' in value ? value.items.at(-1) : value
      if (last !== undefined && 'text' in last && last.text === 'drained') return drained
      drained.push(value)
    }
  }

  close(): void {
    this.socket.destroy()
  }
}
