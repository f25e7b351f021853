import { connect } from 'node:net'

/** Bytes of one command. */
export function encode(...words) {
  return Buffer.from(
    `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`).join('')}`,
  )
}

/**
 * A socket that speaks RESP2 with as little of its own cost as possible: used to set the stage and to measure servers, not
 * clients. Replies are answered in order.
 */
export function connectRaw(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(new RawClient(socket))
    })
  })
}

class RawClient {
  #waiting = []
  #first = 0
  #held = Buffer.alloc(0)
  #failed

  constructor(socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.#feed(chunk))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  call(...words) {
    return this.send(encode(...words))
  }

  /** Sends the bytes of one or more commands; the promise is the reply of the last of `replies`. */
  send(bytes, replies = 1) {
    if (this.#failed) return Promise.reject(this.#failed)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ left: replies, resolve, reject })
      this.socket.write(bytes)
    })
  }

  close() {
    this.socket.destroy()
  }

  #feed(chunk) {
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    let at = 0
    while (this.#first < this.#waiting.length) {
      const parsed = reply(data, at)
      if (parsed === undefined) break
      at = parsed.end
      const waiting = this.#waiting[this.#first]
      if (--waiting.left > 0) {
        if (parsed.value instanceof Error) waiting.error ??= parsed.value
        continue
      }
      this.#first++
      const error = parsed.value instanceof Error ? parsed.value : waiting.error
      if (error) waiting.reject(error)
      else waiting.resolve(parsed.value)
    }
    if (this.#first > 1000 && this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first)
      this.#first = 0
    }
    this.#held = data.subarray(at)
  }

  #fail(error) {
    this.#failed = error
    for (const { reject } of this.#waiting.slice(this.#first)) reject(error)
    this.#waiting = []
    this.#first = 0
  }
}

/** The reply that begins at `at`: `{ value, end }`, or undefined while its bytes are not all there. */
function reply(data, at) {
  const line = data.indexOf(13, at)
  if (line === -1 || line + 1 >= data.length) return undefined
  const end = line + 2
  const type = data[at]
  if (type === 43) return { value: data.latin1Slice(at + 1, line), end }
  if (type === 45) return { value: new Error(data.latin1Slice(at + 1, line)), end }
  const number = Number(data.latin1Slice(at + 1, line))
  if (type === 58) return { value: number, end }
  if (type === 36) {
    if (number === -1) return { value: null, end }
    if (end + number + 2 > data.length) return undefined
    return { value: data.latin1Slice(end, end + number), end: end + number + 2 }
  }
  if (type === 42) {
    if (number === -1) return { value: null, end }
    const items = []
    let next = end
    for (let i = 0; i < number; i++) {
      const item = reply(data, next)
      if (item === undefined) return undefined
      items.push(item.value)
      next = item.end
    }
    return { value: items, end: next }
  }
  throw new Error(`not RESP2: byte ${type}`)
}
