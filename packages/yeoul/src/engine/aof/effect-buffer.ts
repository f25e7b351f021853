import { HEADER_LENGTH } from './record.js'

/**
 * Where effects are written: `begin`, then exactly as many arguments as announced. Strings are latin1, one character a
 * byte. Everything is synchronous and goes to memory.
 */
export interface EffectSink {
  /** Starts an effect of `argc` arguments, its name included. */
  begin(database: number, argc: number): void
  bulk(value: string): void
  number(value: number | bigint): void
  /** One argument from raw bytes. */
  bytes(source: Buffer, start: number, end: number): void
  /** Arguments that are in wire form already; they count towards `argc`. */
  raw(source: Buffer, start: number, end: number): void
  /** Effects until the matching `closeTransaction` are replayed all or not at all. May be nested. */
  openTransaction(): void
  closeTransaction(): void
  /** A whole effect at once, for the rare ones. Strings are latin1. */
  effect(database: number, ...args: (string | number | bigint | Buffer)[]): void
}

/** A record in the making: effects behind the room for its header. */
export class EffectBuffer implements EffectSink {
  memory: Buffer
  /** End of the effects in `memory`. */
  end = HEADER_LENGTH
  /** Effects begun so far, SELECT, MULTI and EXEC not counted. */
  effects = 0
  /** The database the reader will be in; −1 = unknown, the next effect says it. */
  #database = -1
  #depth = 0
  /** Where the first effect of the open transaction begins. */
  #mark = 0
  #transactionEffects = 0

  constructor(size = 64 * 1024) {
    this.memory = Buffer.allocUnsafeSlow(size)
  }

  /** Bytes of effects. */
  get length(): number {
    return this.end - HEADER_LENGTH
  }

  get inTransaction(): boolean {
    return this.#depth > 0
  }

  begin(database: number, argc: number): void {
    if (this.#depth > 0 && ++this.#transactionEffects === 2) this.#insertMulti()
    if (database !== this.#database) {
      this.#header(42, 2)
      this.bulk('SELECT')
      this.number(database)
      this.#database = database
    }
    this.effects++
    this.#header(42, argc)
  }

  bulk(value: string): void {
    const size = value.length
    this.#header(36, size)
    this.#reserve(size + 2)
    if (size < 24) {
      const memory = this.memory
      let at = this.end
      for (let i = 0; i < size; i++) memory[at++] = value.charCodeAt(i)
      this.end = at
    } else {
      this.end += this.memory.write(value, this.end, size, 'latin1')
    }
    this.#lineEnd()
  }

  number(value: number | bigint): void {
    this.bulk(String(value))
  }

  bytes(source: Buffer, start: number, end: number): void {
    this.#header(36, end - start)
    this.#reserve(end - start + 2)
    this.end += source.copy(this.memory, this.end, start, end)
    this.#lineEnd()
  }

  raw(source: Buffer, start: number, end: number): void {
    this.#reserve(end - start)
    this.end += source.copy(this.memory, this.end, start, end)
  }

  openTransaction(): void {
    if (this.#depth++ > 0) return
    this.#mark = this.end
    this.#transactionEffects = 0
  }

  closeTransaction(): void {
    if (this.#depth === 0) throw new Error('closeTransaction without openTransaction')
    if (--this.#depth > 0) return
    if (this.#transactionEffects > 1) this.raw(EXEC, 0, EXEC.length)
  }

  effect(database: number, ...args: (string | number | bigint | Buffer)[]): void {
    this.begin(database, args.length)
    for (const arg of args) {
      if (Buffer.isBuffer(arg)) this.bytes(arg, 0, arg.length)
      else if (typeof arg === 'string') this.bulk(arg)
      else this.number(arg)
    }
  }

  /**
   * Hands over the record and goes on in `spare`, if it is given and not smaller than the usual. Never inside a
   * transaction: its MULTI and EXEC belong to one record.
   */
  take(spare?: Buffer): Buffer {
    if (this.#depth > 0) throw new Error('a record cannot end inside a transaction')
    const record = this.memory.subarray(0, this.end)
    this.memory = spare ?? Buffer.allocUnsafeSlow(64 * 1024)
    this.end = HEADER_LENGTH
    this.effects = 0
    return record
  }

  /** What follows is read after something else: another file, or another writer's effects. */
  forgetDatabase(): void {
    this.#database = -1
  }

  #insertMulti(): void {
    this.#reserve(MULTI.length)
    this.memory.copyWithin(this.#mark + MULTI.length, this.#mark, this.end)
    MULTI.copy(this.memory, this.#mark)
    this.end += MULTI.length
  }

  #header(type: number, value: number): void {
    this.#reserve(24)
    const memory = this.memory
    let at = this.end
    memory[at++] = type
    if (value < 10) memory[at++] = 48 + value
    else if (value < 100) {
      memory[at++] = 48 + ((value / 10) | 0)
      memory[at++] = 48 + (value % 10)
    } else at += memory.write(String(value), at, 'latin1')
    memory[at++] = 13
    memory[at++] = 10
    this.end = at
  }

  #lineEnd(): void {
    this.memory[this.end++] = 13
    this.memory[this.end++] = 10
  }

  #reserve(size: number): void {
    const needed = this.end + size
    if (needed <= this.memory.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.memory.length * 2))
    this.memory.copy(larger, 0, 0, this.end)
    this.memory = larger
  }
}

const MULTI = Buffer.from('*1\r\n$5\r\nMULTI\r\n')
const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n')
