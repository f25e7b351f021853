import { describe, expect, it } from 'vitest'
import { EntryId } from './entry-id.js'
import { Stream } from './stream.js'

/** Fields of the i-th entry, and how many nodes 600 of them take on Redis 7.0.15 when a node has 1000 bytes. */
const cases: [string, (i: number) => string[], nodes: [byMs: number, bySeq: number]][] = [
  ['short strings', (i) => ['f', 'x'.repeat(i % 64)], [27, 26]],
  ['medium strings', (i) => ['f', 'x'.repeat(60 + (i % 70))], [68, 68]],
  ['long strings', (i) => ['f', 'x'.repeat((i * 13) % 4200)], [548, 548]],
  ['integers of all widths', (i) => ['n', String(i ** 3 * (-1) ** i)], [10, 9]],
  ['large integers', (i) => ['n', String(BigInt(i) * 4611686018427387n)], [13, 12]],
  ['what is nearly an integer', (i) => ['n', NEARLY[i % 10]], [12, 11]],
  ['other fields than the first', (i) => [`f${i % 3}`, 'v', 'g', 'w'], [14, 13]],
  [
    'more fields than the first',
    (i) =>
      Array(1 + (i % 7))
        .fill(['a', '1'])
        .flat(),
    [18, 18],
  ],
  ['numbers as fields', () => ['127', 'x', '128', 'y'], [10, 9]],
]
const NEARLY = [
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775808',
  '-9223372036854775809',
  '-0',
  '00',
  '+1',
  '1.0',
  '-',
  '',
]

describe('node boundaries', () => {
  it.each(cases)('E1 fall where Redis puts them: %s', (_, fields, nodes) => {
    const byMs = (i: number) => EntryId.of(i * i)
    const bySeq = (i: number) => EntryId.of(5, i * 7)
    const counted = [byMs, bySeq].map((id) => {
      const stream = new Stream({ maxEntries: 0, maxBytes: 1000 })
      for (let i = 1; i <= 600; i++) {
        const list = fields(i)
        const bytes = Buffer.from(list.map((text) => `$${text.length}\r\n${text}\r\n`).join(''), 'latin1')
        stream.append(id(i), bytes, 0, bytes.length, list.length / 2)
      }
      return stream.nodeCount
    })
    expect(counted).toEqual(nodes)
  })
})
