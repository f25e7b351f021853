import { describe, expect, test } from 'vitest'
import { formatDouble, Reply } from './reply.js'

function written(protocol: 2 | 3, write: (reply: Reply) => void): string {
  const reply = new Reply(1)
  reply.protocol = protocol
  write(reply)
  return reply.take().toString('latin1')
}

describe('E1 wire forms in RESP2 and RESP3', () => {
  test.each<[string, (reply: Reply) => void, string, string]>([
    ['simple', (r) => r.simple('PONG'), '+PONG\r\n', '+PONG\r\n'],
    ['ok', (r) => r.ok(), '+OK\r\n', '+OK\r\n'],
    ['error', (r) => r.error('ERR a\r\nb'), '-ERR a  b\r\n', '-ERR a  b\r\n'],
    ['integer', (r) => r.integer(-5), ':-5\r\n', ':-5\r\n'],
    ['integer beyond 2^53', (r) => r.integer(2n ** 64n - 1n), ':18446744073709551615\r\n', ':18446744073709551615\r\n'],
    ['short bulk', (r) => r.bulk('\xff\0'), '$2\r\n\xff\0\r\n', '$2\r\n\xff\0\r\n'],
    [
      'long bulk',
      (r) => r.bulk('x'.repeat(1000)),
      `$1000\r\n${'x'.repeat(1000)}\r\n`,
      `$1000\r\n${'x'.repeat(1000)}\r\n`,
    ],
    ['text', (r) => r.text('é'), '$2\r\n\xc3\xa9\r\n', '$2\r\n\xc3\xa9\r\n'],
    ['bytes', (r) => r.bulkBytes(Buffer.from('abcd'), 1, 3), '$2\r\nbc\r\n', '$2\r\nbc\r\n'],
    ['verbatim', (r) => r.verbatim('é'), '$2\r\n\xc3\xa9\r\n', '=6\r\ntxt:\xc3\xa9\r\n'],
    ['nil', (r) => r.nil(), '$-1\r\n', '_\r\n'],
    ['nil array', (r) => r.nilArray(), '*-1\r\n', '_\r\n'],
    ['array', (r) => r.array(12), '*12\r\n', '*12\r\n'],
    ['array of hundreds', (r) => r.array(345), '*345\r\n', '*345\r\n'],
    ['array of thousands', (r) => r.array(12345), '*12345\r\n', '*12345\r\n'],
    ['map', (r) => r.map(3), '*6\r\n', '%3\r\n'],
    ['set', (r) => r.set(3), '*3\r\n', '~3\r\n'],
    ['push', (r) => r.push(3), '*3\r\n', '>3\r\n'],
    ['double', (r) => r.double(3.5), '$3\r\n3.5\r\n', ',3.5\r\n'],
    ['infinity', (r) => r.double(Number.NEGATIVE_INFINITY), '$4\r\n-inf\r\n', ',-inf\r\n'],
    ['boolean', (r) => r.boolean(true), ':1\r\n', '#t\r\n'],
    ['raw', (r) => r.raw(Buffer.from('x:1\r\n'), 1, 5), ':1\r\n', ':1\r\n'],
  ])('%s', (_, write, resp2, resp3) => {
    expect(written(2, write)).toBe(resp2)
    expect(written(3, write)).toBe(resp3)
  })

  test('aggregates whose length is known at the end', () => {
    const write = (reply: Reply) => {
      const outer = reply.openArray()
      const inner = reply.openArray()
      reply.integer(1)
      reply.integer(2)
      reply.closeMap(inner, 1)
      reply.bulk('x')
      reply.closeArray(outer, 2)
    }
    expect(written(2, write)).toBe('*2\r\n*2\r\n:1\r\n:2\r\n$1\r\nx\r\n')
    expect(written(3, write)).toBe('*2\r\n%1\r\n:1\r\n:2\r\n$1\r\nx\r\n')
  })

  test('a half-written reply is replaced', () => {
    expect(
      written(2, (reply) => {
        reply.integer(1)
        const mark = reply.length
        reply.array(5)
        reply.rewind(mark)
        reply.error('ERR no')
      }),
    ).toBe(':1\r\n-ERR no\r\n')
  })

  test('taken bytes stay as they are while the writer goes on', () => {
    const reply = new Reply()
    reply.bulk('one')
    const taken = reply.take()
    reply.bulk('two')
    expect(taken.toString()).toBe('$3\r\none\r\n')
    expect(reply.take().toString()).toBe('$3\r\ntwo\r\n')
  })

  test.each([
    [0.1, '0.1'],
    [1e21, '1e+21'],
    [1e-7, '1e-07'],
    [123456789012, '123456789012'],
  ])('double %d', (value, text) => {
    expect(formatDouble(value)).toBe(text)
  })
})
