import type { Command } from '../../packages/yeoul/src/engine/commands/command.js'

/** Numbers from a seed (mulberry32): the same seed gives the same bytes. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 ≤ n < 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** An integer from 0 to `below` - 1. */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }
}

/**
 * What no fuzzing peer may send, because it is meant to stop or change the server for everybody: judged by tests of its
 * own. Everything else of the table is sent.
 */
const OPERATORS = new Set([
  'shutdown',
  'config|set',
  'config|resetstat',
  'client|pause',
  'acl|setuser',
  'acl|deluser',
  'flushall',
])

/** What ends a peer or changes what it may do next: sent more rarely, so that most peers reach deeper. */
const ENDING = new Set([
  'quit',
  'flushdb',
  'subscribe',
  'psubscribe',
  'ssubscribe',
  'monitor',
  'reset',
  'wait',
  'waitaof',
  'auth',
])

const KEYS = ['s', 't', 'str', 'h', 'z', 'k\0\xff', '']
const WORDS = [
  ...['STREAMS', 'GROUP', 'COUNT', 'NOACK', 'MAXLEN', 'MINID', '~', '=', 'LIMIT', 'NOMKSTREAM', 'MKSTREAM'],
  ...['JUSTID', 'FORCE', 'RETRYCOUNT', 'TIME', 'IDLE', 'LASTID', 'ENTRIESREAD', 'IDS', 'CLAIM', 'MAXCOUNT', 'MAXSIZE'],
  ...['KEEPREF', 'DELREF', 'ACKED', 'IDMP', 'IDMPAUTO', 'EX', 'PX', 'NX', 'XX', 'GT', 'LT', 'KEEPTTL', 'GET', 'MATCH'],
  ...['WITHSCORES', 'BYSCORE', 'BYLEX', 'REV', 'INCR', 'CH', 'FIELDS', 'REPLACE', 'DB', 'TYPE', 'ON', 'OFF', 'SKIP'],
  ...['FULL', 'AUTH', 'SETNAME', 'RESET', 'SAMPLES', 'FREQ', 'default', 'all', 'SILENT', 'FAIL', 'FATAL', 'TIMEOUT'],
]
const NUMBERS = [
  ...['0', '1', '2', '-1', '3.5', '1e308', 'inf', '-inf', 'nan', '+1', '01', ' 1', '', '100', '4294967296'],
  ...['9223372036854775807', '-9223372036854775808', '9223372036854775808', '18446744073709551615', '1e400'],
]
const IDS = [
  ...['*', '0', '-', '+', '$', '>', '1-1', '2-1', '5-*', '(1-1', '(-', '0-0', '1-', '-1', '99999999999999999999-1'],
  ...['18446744073709551615-18446744073709551615', '18446744073709551615-18446744073709551614', '1-1-1', '\0', '01-1'],
]
const HEADS = [
  ...[
    '*1\r\n',
    '*3\r\n',
    '*-1\r\n',
    '*0\r\n',
    '*999999999\r\n',
    '*2147483647\r\n',
    '*2147483648\r\n',
    '*x\r\n',
    '*\r\n',
  ],
  ...['$0\r\n\r\n', '$-1\r\n', '$536870912\r\n', '$536870913\r\n', '$9999999999999999999\r\n', '$\r\n', '$3\r\nab\r\n'],
  ...['\r\n', '\n', '\r', '*', '$', '+OK\r\n', ':1\r\n', '%1\r\n', '~1\r\n', '_\r\n', '"', "'", '\0', ' ', '\x80\xff'],
  ...['GET / HTTP/1.1\r\n', 'Host: x\r\n', 'POST / HTTP/1.1\r\n', 'PING\r\n', 'MULTI\r\n', 'EXEC\r\n', 'HELLO 3\r\n'],
]

/** Writes what a hostile, broken or merely strange peer may send: latin1 text, one character a byte. */
export class HostilePeer {
  readonly #dice: Dice
  readonly #rows: { words: string[]; arity: number }[] = []
  /** Keeps to the protocol, so that it stays connected and reaches deeper. */
  readonly #whole: boolean

  constructor(dice: Dice, table: ReadonlyMap<string, Command>) {
    this.#dice = dice
    this.#whole = dice.chance(0.6)
    for (const { name, arity, subcommands } of table.values()) {
      if (!OPERATORS.has(name)) this.#rows.push({ words: [name], arity })
      for (const sub of subcommands ?? []) {
        if (!OPERATORS.has(`${name}|${sub.name}`)) this.#rows.push({ words: [name, sub.name], arity: sub.arity })
      }
    }
  }

  /** One message, which may be whole, damaged, or no message at all. */
  message(): string {
    const dice = this.#dice
    switch (this.#whole ? 4 + dice.below(8) : dice.below(12)) {
      case 0:
        return dice.of(HEADS)
      case 1:
        return this.#noise(dice.below(60))
      case 2:
        return `${this.command().join(' ')}\r\n`
      case 3:
        return this.#damaged(encode(this.command()))
      case 4:
        // A stream command in a shape that is often right, so that state builds up behind the wrong ones.
        return encode(['XADD', dice.of(KEYS), dice.of(['*', '5-*']), 'f', this.#noise(dice.below(200))])
      case 5:
        return encode(['XGROUP', 'CREATE', dice.of(KEYS), 'g', dice.of(['0', '$']), 'MKSTREAM'])
      case 6:
        return encode(['XREADGROUP', 'GROUP', 'g', dice.of(['a', 'b']), 'COUNT', '5', 'STREAMS', dice.of(KEYS), '>'])
      default:
        return encode(this.command())
    }
  }

  command(): string[] {
    const dice = this.#dice
    let row = dice.of(this.#rows)
    while (ENDING.has(row.words[0]) && !dice.chance(0.03)) row = dice.of(this.#rows)
    const words = [...row.words]
    if (dice.chance(0.3)) words[0] = words[0].toUpperCase()
    let count = Math.abs(row.arity) - words.length + (row.arity < 0 ? dice.below(4) : 0)
    if (dice.chance(0.1)) count = dice.below(40)
    for (; count > 0; count--) words.push(this.#argument())
    return words
  }

  #argument(): string {
    const dice = this.#dice
    switch (dice.below(10)) {
      case 0:
      case 1:
      case 2:
        return dice.of(KEYS)
      case 3:
      case 4:
        return dice.chance(0.005) ? 'BLOCK' : dice.of(WORDS)
      case 5:
      case 6:
        return dice.of(NUMBERS)
      case 7:
      case 8:
        return dice.of(IDS)
      default:
        return dice.chance(0.02) ? 'x'.repeat(dice.below(70_000)) : this.#noise(dice.below(30))
    }
  }

  #noise(length: number): string {
    let text = ''
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.#dice.below(256))
    return text
  }

  #damaged(text: string): string {
    const dice = this.#dice
    const at = dice.below(text.length)
    switch (dice.below(5)) {
      case 0:
        return text.slice(0, at)
      case 1:
        return text.slice(at)
      case 2:
        return text.slice(0, at) + String.fromCharCode(dice.below(256)) + text.slice(at + 1)
      case 3:
        return text.slice(0, at) + this.#noise(3) + text.slice(at)
      default:
        return text.slice(0, at) + text.slice(at + dice.below(4) + 1)
    }
  }
}

export function encode(words: readonly string[]): string {
  let text = `*${words.length}\r\n`
  for (const word of words) text += `$${word.length}\r\n${word}\r\n`
  return text
}
