import { expect, test } from 'vitest'
import { WriteFailed } from '../engine/aof/errors.js'
import { CommitGate, type Committing, type Gated } from './commit-gate.js'

class Log implements Committing {
  written = 0
  durable = 0
  failure: WriteFailed | undefined
  #listener: (durable: number) => void = () => {}

  onDurable(listener: (durable: number) => void): void {
    this.#listener = listener
  }

  sync(to: number): void {
    this.durable = to
    this.#listener(to)
  }
}

class Receiver implements Gated {
  waiting = 0
  readonly got: string[] = []
  destroyed = false

  cork(): void {
    this.got.push('(')
  }

  release(bytes: Buffer | string): void {
    this.got.push(String(bytes))
  }

  released(): void {
    this.got.push(')')
  }

  destroy(): void {
    this.destroyed = true
  }
}

/** As a connection does: true when the bytes may leave at once. */
function send(gate: CommitGate, to: Receiver, bytes: string, wrote: boolean): boolean {
  if (gate.pass(to, wrote)) return true
  gate.keep(to, bytes)
  return false
}

test('E3 a reply leaves when the log has what it acknowledges, and not before', () => {
  const log = new Log()
  const gate = new CommitGate(log)
  const [a, b] = [new Receiver(), new Receiver()]
  log.written = 10
  expect(send(gate, a, 'a10', true)).toBe(false)
  log.written = 20
  expect(send(gate, b, 'b20', true)).toBe(false)
  expect(send(gate, a, 'a20', false)).toBe(false)
  expect([a.waiting, b.waiting]).toEqual([6, 3])
  log.sync(10)
  expect(a.got).toEqual(['(', 'a10', ')'])
  expect(b.got).toEqual([])
  log.sync(25)
  expect(a.got).toEqual(['(', 'a10', ')', 'a20', ')'])
  expect(b.got).toEqual(['b20', ')'])
  expect([a.waiting, b.waiting]).toEqual([0, 0])
  expect(send(gate, a, 'now', true)).toBe(true)
})

test('E3 what another peer wrote is not shown before it is durable', () => {
  const log = new Log()
  const gate = new CommitGate(log)
  log.written = 5
  expect(gate.pass(new Receiver(), false)).toBe(false)
})

test('E5 while the disk refuses, reads are answered and unacknowledged writers are let go', () => {
  const log = new Log()
  const gate = new CommitGate(log)
  const [writer, reader] = [new Receiver(), new Receiver()]
  log.written = 10
  send(gate, writer, 'ok', true)
  log.failure = new WriteFailed('file', new Error('ENOSPC'))
  expect(send(gate, reader, 'read', false)).toBe(true)
  expect(send(gate, writer, 'read behind a write', false)).toBe(false)
  gate.expire(performance.now() - 1000)
  expect(writer.destroyed).toBe(false)
  gate.expire(performance.now() + 1000)
  expect(writer.destroyed).toBe(true)
  expect(reader.destroyed).toBe(false)
})

test('without a log nothing waits', () => {
  expect(new CommitGate(undefined).pass(new Receiver(), true)).toBe(true)
})
