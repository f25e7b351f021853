import { describe, expect, it } from 'vitest'
import { ManualClock } from '../io/manual-clock.js'
import { MemoryStorage } from '../io/memory-storage.js'
import { checkAppendOnly } from './check.js'
import { CorruptLog, UnsupportedLog } from './errors.js'
import { type AppendFsync, AppendOnlyFile } from './log.js'

const DIRECTORY = '/data/appendonlydir'
const NAME = 'appendonly.aof.1.incr.aof'
const PATH = `${DIRECTORY}/${NAME}`

interface Opened {
  log: AppendOnlyFile
  effects: string[]
}

async function openLog(storage: MemoryStorage, appendfsync: AppendFsync = 'always'): Promise<Opened> {
  const effects: string[] = []
  const log = await AppendOnlyFile.open({
    directory: '/data',
    storage,
    clock: new ManualClock(),
    appendfsync,
    apply: (request) => {
      const words: string[] = []
      for (let i = 1; i < request.count; i++) words.push(request.string(i))
      effects.push(words.join(' '))
    },
  })
  return { log, effects }
}

/** One record for each group of effects. Answers the offset behind each record. */
async function writeRecords(storage: MemoryStorage, groups: string[][], policy: AppendFsync = 'always') {
  const { log } = await openLog(storage, policy)
  const ends: number[] = [storage.contents(PATH).length]
  for (const group of groups) {
    for (const value of group) log.effect(0, 'SET', value)
    await log.committed()
    ends.push(storage.contents(PATH).length)
  }
  return { log, ends }
}

/** A small generator of random numbers, so that a seed names a history. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

function damaged(storage: MemoryStorage, change: (bytes: Buffer) => unknown): MemoryStorage {
  const copy = storage.clone()
  const bytes = copy.contents(PATH)
  const changed = change(bytes)
  copy.plant(PATH, Buffer.isBuffer(changed) ? changed : bytes)
  return copy
}

const GROUPS = [['a1', 'a2'], ['b1'], ['c1', 'c2', 'c3']]

describe('a damaged tail', () => {
  it('E4 cut at any byte: every whole record before it is there, the rest is kept aside', async () => {
    const original = new MemoryStorage()
    const { log, ends } = await writeRecords(original, GROUPS)
    await log.close()
    const bytes = original.contents(PATH)
    for (let length = 0; length < bytes.length; length++) {
      const storage = damaged(original, (all) => all.subarray(0, length))
      const whole = ends.filter((end) => end <= length).length - 1
      const opened = await openLog(storage)
      expect(opened.effects, `cut at ${length}`).toEqual(GROUPS.slice(0, whole).flat())
      const [cut] = opened.log.cuts
      if (ends.includes(length)) expect(cut).toBeUndefined()
      else {
        expect(cut).toMatchObject({ file: NAME, offset: ends[whole], length: length - ends[whole], kind: 'torn' })
        expect(storage.contents(`${DIRECTORY}/${cut.kept}`)).toEqual(bytes.subarray(ends[whole], length))
      }
      opened.log.effect(0, 'SET', 'after')
      await opened.log.close()
      const again = await openLog(storage)
      expect(again.effects).toEqual([...GROUPS.slice(0, whole).flat(), 'after'])
      expect(again.log.cuts).toEqual([])
    }
  })

  it('E4 any bit flipped in the last record: everything before it is there', async () => {
    const original = new MemoryStorage()
    const { log, ends } = await writeRecords(original, GROUPS)
    await log.close()
    for (let at = ends[2]; at < ends[3]; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const storage = damaged(original, (bytes) => void (bytes[at] ^= 1 << bit))
        const opened = await openLog(storage)
        expect(opened.effects, `bit ${bit} of byte ${at}`).toEqual(['a1', 'a2', 'b1'])
        expect(opened.log.cuts[0].offset).toBe(ends[2])
      }
    }
  })

  it('E4 zeros and copies are told apart', async () => {
    const original = new MemoryStorage()
    const { log, ends } = await writeRecords(original, GROUPS)
    await log.close()
    const zeros = await openLog(damaged(original, (bytes) => Buffer.concat([bytes, Buffer.alloc(700)])))
    expect(zeros.effects).toEqual(GROUPS.flat())
    expect(zeros.log.cuts[0]).toMatchObject({ kind: 'zero-filled', offset: ends[3], length: 700 })
    const half = await openLog(damaged(original, (bytes) => void bytes.fill(0, ends[2] + 50)))
    expect(half.effects).toEqual(['a1', 'a2', 'b1'])
    expect(half.log.cuts[0]).toMatchObject({ kind: 'zero-filled', offset: ends[2] })
    const twice = await openLog(damaged(original, (bytes) => Buffer.concat([bytes, bytes.subarray(ends[2])])))
    expect(twice.effects).toEqual(GROUPS.flat())
    expect(twice.log.cuts[0]).toMatchObject({ kind: 'duplicated', offset: ends[3] })
    const garbage = await openLog(damaged(original, (bytes) => Buffer.concat([bytes, Buffer.from('garbage\r\n')])))
    expect(garbage.effects).toEqual(GROUPS.flat())
    expect(garbage.log.cuts[0]).toMatchObject({ kind: 'malformed', offset: ends[3] })
  })

  it('E4 sectors lost among unsynced records are cut, with what followed them', async () => {
    const storage = new MemoryStorage()
    const long = 'x'.repeat(2000)
    const { ends } = await writeRecords(storage, [['a'], [long], ['c']], 'everysec')
    storage.crash()
    const lost = damaged(storage, (bytes) => void bytes.fill(0, 1024, 1536))
    const opened = await openLog(lost)
    expect(opened.effects).toEqual(['a'])
    expect(opened.log.cuts[0]).toMatchObject({ kind: 'checksum', offset: ends[1] })
    const flipped = damaged(storage, (bytes) => void (bytes[1200] ^= 1))
    await expect(openLog(flipped)).rejects.toMatchObject({ kind: 'checksum', offset: ends[1] })
  })
})

describe('damage in the middle', () => {
  it('E4 any bit flipped is refused, with file, offset and the repair; the repair keeps what it cuts', async () => {
    const original = new MemoryStorage()
    const { log, ends } = await writeRecords(original, GROUPS)
    await log.close()
    for (let at = 0; at < ends[2]; at++) {
      const storage = damaged(original, (bytes) => void (bytes[at] ^= 1 << (at % 8)))
      const record = at < ends[1] ? 0 : 1
      const error: CorruptLog = await openLog(storage).then(
        () => expect.unreachable(`byte ${at} went unnoticed`),
        (reason) => reason,
      )
      expect(error, String(error)).toBeInstanceOf(CorruptLog)
      expect(error).toMatchObject({ file: NAME, offset: ends[record] })
      expect(error.message).toContain('yeoul check-aof --fix /data')
      if (at % 10 !== 0) continue
      const seen = await checkAppendOnly('/data', storage)
      expect(seen).toMatchObject({ startable: false, sound: false, cuts: [] })
      expect(seen.files[0].damage).toMatchObject({ offset: ends[record], place: 'middle' })
      const fixed = await checkAppendOnly('/data', storage, { fix: true })
      expect(fixed.cuts[0]).toMatchObject({ offset: ends[record], length: ends[3] - ends[record] })
      expect((await openLog(storage)).effects).toEqual(GROUPS.slice(0, record).flat())
    }
  })

  it('E4 a file that is not the last may not be cut', async () => {
    const storage = new MemoryStorage()
    const { log } = await writeRecords(storage, GROUPS)
    await expect(
      log.rewrite(() => {
        throw new Error('no snapshot')
      }),
    ).rejects.toThrow('no snapshot')
    await log.close()
    storage.plant(`${DIRECTORY}/appendonly.aof.2.incr.aof`, Buffer.from('*2\r\n$3\r\nSET\r\n$1\r\nz\r\n'))
    storage.plant(
      `${DIRECTORY}/appendonly.aof.manifest`,
      Buffer.from(`file ${NAME} seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n`),
    )
    expect((await openLog(storage.clone())).effects).toEqual([...GROUPS.flat(), 'z'])
    const torn = damaged(storage, (bytes) => bytes.subarray(0, bytes.length - 1))
    await expect(openLog(torn.clone())).rejects.toMatchObject({ kind: 'torn', file: NAME })
    const fixed = await checkAppendOnly('/data', torn, { fix: true })
    expect(fixed.cuts.map((cut) => cut.file)).toEqual(['appendonly.aof.2.incr.aof', NAME])
    expect((await openLog(torn)).effects).toEqual(['a1', 'a2', 'b1'])
  })

  it('E4 an effect that is refused on replay names its place', async () => {
    const storage = new MemoryStorage()
    const { log } = await writeRecords(storage, GROUPS)
    await log.close()
    const opening = AppendOnlyFile.open({
      directory: '/data',
      storage,
      clock: new ManualClock(),
      appendfsync: 'always',
      apply: (request) => {
        if (request.string(1) === 'b1') throw new Error('unknown command')
      },
    })
    await expect(opening).rejects.toMatchObject({ kind: 'refused', file: NAME })
    await (await openLog(storage)).log.close()
  })
})

describe('files that Redis wrote', () => {
  const command = (...words: string[]): string =>
    `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
  const plain =
    `#TS:1700000000\r\n${command('SELECT', '0')}${command('SET', 'a')}#TS:1700000001\r\n` +
    `${command('MULTI')}${command('SET', 'b')}${command('SET', 'c')}${command('EXEC')}${command('SET', 'd')}`

  function plant(text: string): MemoryStorage {
    const storage = new MemoryStorage()
    storage.plant(PATH, Buffer.from(text, 'latin1'))
    storage.plant(`${DIRECTORY}/appendonly.aof.manifest`, Buffer.from(`file ${NAME} seq 1 type i\n`))
    return storage
  }

  it('E7 load without checksums, and take ours behind them', async () => {
    const storage = plant(plain)
    const opened = await openLog(storage)
    expect(opened.effects).toEqual(['a', 'b', 'c', 'd'])
    opened.log.effect(0, 'SET', 'e')
    await opened.log.close()
    const text = storage.contents(PATH).toString('latin1')
    const mixed = plant(text + command('SET', 'f'))
    expect((await openLog(mixed)).effects).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    // Our record between commands of Redis: its damage is not a tail.
    const flipped = plant(text.replace('$1\r\ne', '$1\r\nE') + command('SET', 'f'))
    await expect(openLog(flipped)).rejects.toMatchObject({ kind: 'checksum', offset: plain.length })
  })

  it('E4 cut at any byte: whole commands and whole transactions before the cut are there', async () => {
    const transaction = plain.indexOf('*1\r\n$5\r\nMULTI')
    const exec = plain.indexOf('EXEC') + 6
    for (let length = 0; length < plain.length; length++) {
      const { effects, log } = await openLog(plant(plain.slice(0, length)))
      const expected = length >= exec ? ['a', 'b', 'c'] : length >= plain.indexOf('#TS:1700000001') ? ['a'] : []
      expect(effects, `cut at ${length}`).toEqual(expected)
      if (length > transaction && length < exec) expect(log.cuts[0].offset).toBe(transaction)
    }
  })

  it('E4 a bad byte before whole commands is refused', async () => {
    const at = plain.indexOf('*2\r\n$3\r\nSET')
    const text = plain.slice(0, at) + '+' + plain.slice(at + 1)
    await expect(openLog(plant(text))).rejects.toMatchObject({ kind: 'malformed', offset: at })
    const grown = plain.replace('$1\r\na', '$999\r\na')
    await expect(openLog(plant(grown))).rejects.toMatchObject({ kind: 'torn' })
  })

  it('an RDB base is refused with advice, and so is a log of Redis 6', async () => {
    const storage = plant(plain)
    storage.plant(`${DIRECTORY}/appendonly.aof.1.base.rdb`, Buffer.from('REDIS0010'))
    storage.plant(
      `${DIRECTORY}/appendonly.aof.manifest`,
      Buffer.from(`file appendonly.aof.1.base.rdb seq 1 type b\nfile ${NAME} seq 1 type i\n`),
    )
    const error = await openLog(storage).catch((reason) => reason)
    expect(error).toBeInstanceOf(UnsupportedLog)
    expect(error.message).toContain('aof-use-rdb-preamble no')
    const old = new MemoryStorage()
    old.plant('/data/appendonly.aof', Buffer.from(plain))
    await expect(openLog(old)).rejects.toBeInstanceOf(UnsupportedLog)
  })
})

describe('random histories', () => {
  const seeds = Number(process.env.YEOUL_SEEDS ?? 300)
  const first = Number(process.env.YEOUL_SEED ?? 1)

  it(`E3 crash at any write and any byte: exactly the durable prefix and whole records (seeds ${first}…${first + seeds - 1})`, async () => {
    for (let seed = first; seed < first + seeds; seed++) await history(seed)
  })

  /** Writes, transactions, rewrites, faults; a crash before a random operation, a random part of the unsynced kept. */
  async function history(seed: number): Promise<void> {
    const say = `seed ${seed}`
    const below = random(seed)
    const policy: AppendFsync = (['always', 'everysec', 'no'] as const)[below(3)]
    let storage = new MemoryStorage()
    let state: string[] = []
    for (let life = 0; life < 3; life++) {
      const clock = new ManualClock()
      const replayed: string[] = []
      const log = await AppendOnlyFile.open({
        directory: '/data',
        storage,
        clock,
        appendfsync: policy,
        apply: (request, database) => {
          if (request.is(0, 'RESET')) replayed.length = 0
          else replayed.push(`${database} ${request.string(1)}`)
        },
      })
      expect(replayed.join(), `${say}, life ${life}`).toBe(state.join())

      const written = [...state]
      // Effects below this index are promised: synced under `always`, otherwise only after a sync.
      let promised = state.length
      /** [effects, transaction it belongs to] in order; a transaction is all or nothing. */
      const bounds = new Set<number>([state.length])
      const image: { storage: MemoryStorage; promised: number }[] = []
      const crashAt = below(60)
      let operations = 0
      storage.before = () => {
        if (operations++ === crashAt) image.push({ storage: storage.clone(), promised })
      }
      const steps = 1 + below(25)
      for (let step = 0; step < steps; step++) {
        const count = 1 + below(4)
        const transaction = below(3) === 0
        if (transaction) log.openTransaction()
        for (let i = 0; i < count; i++) {
          const value = `${life}.${step}.${i}.${'y'.repeat(below(10) === 0 ? 1500 : below(40))}`
          const database = below(2)
          log.effect(database, 'SET', value)
          written.push(`${database} ${value}`)
          if (!transaction) bounds.add(written.length)
        }
        if (transaction) log.closeTransaction()
        bounds.add(written.length)
        if (below(8) === 0) storage.failNext(below(2) === 0 ? 'write' : 'datasync', 'EIO', { taken: below(60) })
        if (below(10) === 0) {
          void log
            .rewrite((sink) => {
              const fixed = [...written]
              sink.effect(0, 'RESET')
              return (function* () {
                for (const effect of fixed) {
                  const [database, value] = effect.split(' ')
                  sink.effect(Number(database), 'SET', value)
                  yield
                }
              })()
            })
            .catch(() => {})
        }
        if (below(3) > 0) continue
        const target = written.length
        const reached = await (policy === 'always' ? log.committed() : log.sync())?.then(
          () => true,
          () => false,
        )
        if (reached !== false) promised = target
        for (let i = 0; clock.nextTimer !== undefined && i < 50; i++) {
          clock.advance(clock.nextTimer)
          for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve))
        }
      }
      if (image.length === 0) {
        storage.heal()
        await log.close()
        promised = written.length
        image.push({ storage: storage.clone(), promised })
      }
      storage.before = undefined
      storage = image[0].storage
      promised = image[0].promised
      storage.crash({ keep: below(400), names: () => below(2) === 0 })
      await log.close().catch(() => {})

      const survivors: string[] = []
      await AppendOnlyFile.open({
        directory: '/data',
        storage: storage.clone(),
        clock,
        appendfsync: policy,
        apply: (request, database) => {
          if (request.is(0, 'RESET')) survivors.length = 0
          else survivors.push(`${database} ${request.string(1)}`)
        },
      })
      const differs = survivors.findIndex((value, index) => value !== written[index])
      expect(differs, `${say}, life ${life}: no half effect, no order changed`).toBe(-1)
      expect(survivors.length, `${say}, life ${life}: nothing durable lost`).toBeGreaterThanOrEqual(promised)
      expect(bounds.has(survivors.length), `${say}, life ${life}: no half transaction`).toBe(true)
      state = survivors
    }
  }
})
