import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIMITS, ProtocolError, RequestParser, splitWords, UNAUTHENTICATED_LIMITS } from './parser.js'

function encode(args: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) parts.push(Buffer.from(`$${arg.length}\r\n`), arg, Buffer.from('\r\n'))
  return Buffer.concat(parts)
}

/** All requests that can be cut from these chunks, as lists of latin1 strings. */
function cut(chunks: readonly Buffer[], parser = new RequestParser()): string[][] {
  const requests: string[][] = []
  for (const chunk of chunks) {
    parser.push(chunk)
    for (let request = parser.next(); request !== undefined; request = parser.next()) {
      requests.push(Array.from({ length: request.count }, (_, i) => request.string(i)))
    }
  }
  return requests
}

function refusal(bytes: string | Buffer, parser = new RequestParser()): string | undefined {
  try {
    cut([Buffer.from(bytes)], parser)
    return undefined
  } catch (error) {
    if (error instanceof ProtocolError) return error.text
    throw error
  }
}

describe('requests', () => {
  test('E9 are the same however the bytes are split', () => {
    const stream = Buffer.concat([
      encode([Buffer.from('XADD'), Buffer.from('s'), Buffer.from('*'), Buffer.from('f'), Buffer.from('a\r\nb')]),
      Buffer.from('PING\r\n'),
      Buffer.from('\r\n'),
      Buffer.from('*0\r\n*-1\r\n'),
      Buffer.from('SET k "a b\\x41"\n'),
      encode([Buffer.from('GET'), Buffer.alloc(0)]),
    ])
    const expected = [['XADD', 's', '*', 'f', 'a\r\nb'], ['PING'], ['SET', 'k', 'a bA'], ['GET', '']]
    expect(cut([stream])).toEqual(expected)
    for (let at = 0; at <= stream.length; at++) {
      expect(cut([stream.subarray(0, at), stream.subarray(at)])).toEqual(expected)
    }
    expect(cut(Array.from(stream, (byte) => Buffer.from([byte])))).toEqual(expected)
  })

  test('E9 of any bytes, in chunks of any size', () => {
    const args = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 })
    const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(fc.array(args, { minLength: 1, maxLength: 10 }), sizes, (commands, lengths) => {
        const stream = Buffer.concat(commands.map((each) => encode(each.map((arg) => Buffer.from(arg)))))
        const chunks: Buffer[] = []
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = lengths[i % lengths.length]
          chunks.push(stream.subarray(at, at + size))
          at += size
        }
        expect(cut(chunks)).toEqual(commands.map((each) => each.map((arg) => Buffer.from(arg).toString('latin1'))))
      }),
    )
  })

  test('keep their wire form, so that entries can be copied as they arrived', () => {
    const bytes = encode([Buffer.from('XADD'), Buffer.from('s'), Buffer.from('f'), Buffer.from('v')])
    const parser = new RequestParser()
    for (const byte of bytes) parser.push(Buffer.from([byte]))
    const request = parser.next()!
    expect(request.bytes.toString('latin1', request.head(2), request.end(3) + 2)).toBe('$1\r\nf\r\n$1\r\nv\r\n')
    const kept = request.retain()
    parser.push(Buffer.alloc(8192, 'x'))
    expect([kept.string(0), kept.string(3)]).toEqual(['XADD', 'v'])
    expect(kept.bytes.toString('latin1', kept.head(2), kept.end(3) + 2)).toBe('$1\r\nf\r\n$1\r\nv\r\n')
  })

  test('E9 random bytes end in requests or a refusal, never in another failure', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 20 }), (chunks) => {
        const parser = new RequestParser()
        try {
          cut(
            chunks.map((chunk) => Buffer.from(chunk)),
            parser,
          )
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('E9 refusals', () => {
  test.each([
    ['*3000000000\r\n', 'invalid multibulk length'],
    ['*2147483648\r\n', 'invalid multibulk length'],
    ['*x\r\n', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*1\r\n+PING\r\n', "expected '$', got '+'"],
    ['*1\r\n\x07', "expected '$', got '\\x07'"],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$536870913\r\n', 'invalid bulk length'],
    ['*1\r\n$99999999999999999999\r\n', 'invalid bulk length'],
    ['SET "a\r\n', 'unbalanced quotes in request'],
    [`*${'1'.repeat(70000)}`, 'too big mbulk count string'],
    [`*1\r\n$${'1'.repeat(70000)}`, 'too big bulk count string'],
    ['a'.repeat(70000), 'too big inline request'],
  ])('%#: %j', (bytes, text) => {
    expect(refusal(bytes)).toBe(text)
  })

  test('what is stored and sent on must be well-formed for every later reader', () => {
    expect(refusal('*1\r\n$4\r\nPINGxx')).toBe('expected CRLF after bulk string')
    expect(refusal('*1\r\n$4\rxPING\r\n')).toBe('expected CRLF after a length')
  })

  test('the largest count that Redis takes costs nothing until arguments arrive', () => {
    const parser = new RequestParser()
    parser.push(Buffer.from('*2147483647\r\n$536870912\r\n'))
    const before = process.memoryUsage().arrayBuffers
    expect(parser.next()).toBeUndefined()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024)
  })

  test('before AUTH', () => {
    expect(refusal('*11\r\n', new RequestParser(UNAUTHENTICATED_LIMITS))).toBe('unauthenticated multibulk length')
    expect(refusal('*1\r\n$16385\r\n', new RequestParser(UNAUTHENTICATED_LIMITS))).toBe('unauthenticated bulk length')
    expect(refusal('*10\r\n$16384\r\n', new RequestParser(UNAUTHENTICATED_LIMITS))).toBeUndefined()
  })

  test('an unfinished command above the query buffer limit', () => {
    const parser = new RequestParser({ ...LIMITS, buffer: 1000 })
    expect(refusal(`*1\r\n$5000\r\n${'x'.repeat(1200)}`, parser)).toBe('client query buffer limit exceeded')
  })
})

describe('inline commands', () => {
  test.each([
    ['', []],
    ['  set  key value ', ['set', 'key', 'value']],
    ['"a\\n\\t\\"\\x00b" c', ['a\n\t"\0b', 'c']],
    ["'it\\'s' '\\n'", ["it's", '\\n']],
    ['"a"b', undefined],
    ["'a", undefined],
    ['a\xa0b', ['a\xa0b']],
    ['a\0 b', ['a']],
  ])('%j', (line, words) => {
    expect(splitWords(line)).toEqual(words)
  })
})
