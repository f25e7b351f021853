import { describe, expect, it } from 'vitest'
import { ManualClock } from '../io/manual-clock.js'
import { MemoryStorage } from '../io/memory-storage.js'
import { AppendOnlyFile } from './log.js'
import { formatManifest, parseManifest } from './manifest.js'

describe('the manifest', () => {
  it('E7 is read and written as Redis does', () => {
    const text =
      'file appendonly.aof.2.base.aof seq 2 type b\n' +
      'file appendonly.aof.1.base.aof seq 1 type h\n' +
      'file appendonly.aof.4.incr.aof seq 4 type i\n' +
      'file appendonly.aof.9.incr.aof seq 9 type i\n'
    const manifest = parseManifest(text)
    expect(manifest).toEqual({
      base: { name: 'appendonly.aof.2.base.aof', sequence: 2, type: 'b' },
      history: [{ name: 'appendonly.aof.1.base.aof', sequence: 1 }],
      increments: [
        { name: 'appendonly.aof.4.incr.aof', sequence: 4, type: 'i' },
        { name: 'appendonly.aof.9.incr.aof', sequence: 9, type: 'i' },
      ],
    })
    expect(formatManifest(manifest)).toBe(text)
  })

  it('takes comments, further keys, keys in any order, and quoted names', () => {
    const manifest = parseManifest('# a comment\nseq 1 file "my \\"log\\" \\xc3\\xa9.aof" type i startoffset 7\n')
    expect(manifest.increments).toEqual([{ name: 'my "log" é.aof', sequence: 1, type: 'i' }])
    const written = formatManifest(manifest)
    expect(written).toBe('file "my \\"log\\" \\xc3\\xa9.aof" seq 1 type i\n')
    expect(parseManifest(written)).toEqual(manifest)
  })

  it.each([
    ['', 'empty'],
    ['file a seq 1 type i', 'cut'],
    ['\nfile a seq 1 type i\n', 'blank'],
    ['file a seq 1\n', 'keys and values'],
    ['file a seq 1 type\n', 'keys and values'],
    ['file "a seq 1 type i\n', 'keys and values'],
    [`file ${'a'.repeat(1024)} seq 1 type i\n`, 'too long'],
    ['file a seq 1 type x\n', 'unknown type'],
    ['file a seq zero type i\n', 'no sequence'],
    ['file ../a seq 1 type i\n', 'names no file'],
    ['file a seq 1 type b\nfile b seq 2 type b\n', 'second base'],
    ['file a seq 2 type i\nfile b seq 1 type i\n', 'does not rise'],
    ['file a seq 2 type i\nfile b seq 2 type i\n', 'does not rise'],
  ])('refuses %j', (text, reason) => {
    expect(() => parseManifest(text)).toThrow(reason)
  })
})

describe('a log directory', () => {
  const open = (storage: MemoryStorage): Promise<AppendOnlyFile> =>
    AppendOnlyFile.open({
      directory: '/data',
      storage,
      clock: new ManualClock(),
      appendfsync: 'always',
      apply: () => {},
    })
  const path = (name: string): string => `/data/appendonlydir/${name}`
  const command = Buffer.from('*1\r\n$4\r\nPING\r\n')

  it.each<[string, (storage: MemoryStorage) => void, object]>([
    [
      'a listed file is missing',
      (storage) => storage.plant(path('appendonly.aof.manifest'), Buffer.from('file a.aof seq 1 type i\n')),
      { kind: 'missing', file: 'a.aof' },
    ],
    [
      'the manifest is broken',
      (storage) => storage.plant(path('appendonly.aof.manifest'), Buffer.from('nonsense\n')),
      { kind: 'manifest' },
    ],
    [
      'there is data, but no manifest',
      (storage) => storage.plant(path('appendonly.aof.1.incr.aof'), command),
      { kind: 'missing' },
    ],
    [
      'an increment behind the listed ones holds data',
      (storage) => {
        storage.plant(path('appendonly.aof.1.incr.aof'), command)
        storage.plant(path('appendonly.aof.2.incr.aof'), command)
        storage.plant(path('appendonly.aof.manifest'), Buffer.from('file appendonly.aof.1.incr.aof seq 1 type i\n'))
      },
      { kind: 'manifest' },
    ],
  ])('E4 is refused when %s', async (_, plant, expected) => {
    const storage = new MemoryStorage()
    storage.plant('/data/other', Buffer.alloc(0))
    plant(storage)
    await expect(open(storage)).rejects.toMatchObject({ name: 'CorruptLog', ...expected })
  })

  it('E6 is rid of what interrupted rewrites left, and of history', async () => {
    const storage = new MemoryStorage()
    storage.plant('/data/other', Buffer.alloc(0))
    for (const name of ['1.base', '2.base', '3.base', '4.incr'])
      storage.plant(path(`appendonly.aof.${name}.aof`), command)
    storage.plant(path('appendonly.aof.5.incr.aof'), Buffer.alloc(0))
    storage.plant(path('temp-appendonly.aof.3.base.aof'), command)
    storage.plant(
      path('appendonly.aof.manifest'),
      Buffer.from(
        'file appendonly.aof.2.base.aof seq 2 type b\nfile appendonly.aof.1.base.aof seq 1 type h\n' +
          'file appendonly.aof.4.incr.aof seq 4 type i\n',
      ),
    )
    const log = await open(storage)
    expect(log.replayed).toBe(2)
    expect(log.size).toBe(2 * command.length)
    await log.close()
    expect((await storage.list('/data/appendonlydir')).sort()).toEqual([
      'appendonly.aof.2.base.aof',
      'appendonly.aof.4.incr.aof',
      'appendonly.aof.manifest',
    ])
  })
})
