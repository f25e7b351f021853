import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { hasYeoul } from '../servers.js'

const run = promisify(execFile)
const command = fileURLToPath(new URL('../../packages/yeoul/bin/yeoul.js', import.meta.url))
const INCREMENT = 'appendonly.aof.1.incr.aof'
const TURNS = 12

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

describe.skipIf(!hasYeoul())('yeoul check-aof', () => {
  let directory: string
  /** Bytes of the increment, and where the record of each turn ends. */
  let bytes: Buffer
  let ends: number[]

  /** Every turn appends an entry, delivers it and acknowledges every second one. */
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'yeoul-check-'))
    const engine = await Engine.open({ directory })
    engine.streams.createGroup('s', 'g', '0', { makeStream: true })
    await engine.committed()
    ends = []
    for (let i = 1; i <= TURNS; i++) {
      engine.streams.append('s', ['n', String(i), 'text', 'x'.repeat(100)])
      const [read] = engine.streams.readGroup(['s'], 'g', 'c')
      if (i % 2 === 0) engine.streams.acknowledge('s', 'g', [read.entries[0].id])
      await engine.committed()
      ends.push(engine.log!.size)
    }
    await engine.close()
    bytes = await readFile(file())
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  const file = () => path.join(directory, 'appendonlydir', INCREMENT)
  const check = async (...flags: string[]): Promise<Outcome> =>
    run(process.execPath, [command, 'check-aof', directory, ...flags]).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error) => error as Outcome,
    )
  const number = (value: number) => value.toLocaleString('en-US')

  /** The engine shows exactly the turns before the damage, groups included. */
  const expectTurns = async (count: number) => {
    const engine = await Engine.open({ directory })
    expect(engine.streams.length('s')).toBe(count)
    const pending = engine.streams.pending('s', 'g', { count: 1000 }).map(({ id, deliveries }) => ({ id, deliveries }))
    const odd = engine.streams.range('s', '-', '+').filter((_, i) => i % 2 === 0)
    expect(pending).toEqual(odd.map(({ id }) => ({ id, deliveries: 1 })))
    await engine.close()
  }

  it('says that a sound log is sound', async () => {
    const { code, stdout } = await check()
    expect(code).toBe(0)
    expect(stdout).toContain(`${INCREMENT} (increment): ${number(bytes.length)} bytes, ${TURNS + 1} records`)
    expect(stdout).toMatch(/\nsound\n$/)
  })

  const tails: [name: string, kind: string, change: () => { bytes: Buffer; offset: number; turns: number }][] = [
    [
      'torn',
      'torn',
      () => ({ bytes: bytes.subarray(0, ends[TURNS - 1] - 7), offset: ends[TURNS - 2], turns: TURNS - 1 }),
    ],
    [
      'zero-filled',
      'zero-filled',
      () => ({ bytes: Buffer.concat([bytes, Buffer.alloc(4096)]), offset: bytes.length, turns: TURNS }),
    ],
    [
      'duplicated',
      'duplicated',
      () => ({
        bytes: Buffer.concat([bytes, bytes.subarray(ends[TURNS - 2])]),
        offset: bytes.length,
        turns: TURNS,
      }),
    ],
    [
      'flipped in its last record',
      'checksum',
      () => ({ bytes: flipped(bytes, bytes.length - 60), offset: ends[TURNS - 2], turns: TURNS - 1 }),
    ],
  ]
  it.each(tails)(
    'E4 a tail that is %s: kind and byte are named, and the engine starts on the rest',
    async (_, kind, change) => {
      const damage = change()
      await writeFile(file(), damage.bytes)
      const { code, stdout } = await check()
      expect(code).toBe(1)
      expect(stdout).toContain(`  ${kind} at byte ${number(damage.offset)}: `)
      expect(stdout).toContain('the engine starts on it and cuts it there by itself')
      const report = JSON.parse((await check('--json')).stdout)
      expect(report).toMatchObject({ startable: true, sound: false, cuts: [] })
      expect(report.files[0].damage).toMatchObject({ kind, offset: damage.offset, place: 'tail' })
      await expectTurns(damage.turns)
      expect((await check()).stdout).toMatch(/\nsound\n$/)
      // What was cut off is kept.
      const kept = await readFile(`${file()}.cut-${damage.offset}`)
      expect(kept.equals(damage.bytes.subarray(damage.offset))).toBe(true)
    },
  )

  const middles: [name: string, kind: string, change: (bytes: Buffer, from: number, to: number) => Buffer][] = [
    ['a flipped bit', 'checksum', (all, from) => flipped(all, from + 70)],
    ['zeros', 'malformed', (all, from, to) => Buffer.from(all).fill(0, from, to)],
    ['a record twice', 'duplicated', (all, from, to) => Buffer.concat([all.subarray(0, to), all.subarray(from)])],
    [
      'a missing piece',
      'checksum',
      (all, from) => Buffer.concat([all.subarray(0, from + 50), all.subarray(from + 60)]),
    ],
  ]
  it.each(middles)(
    'E4 %s in the middle: the engine refuses, --fix cuts there and keeps what it cuts',
    async (name, kind, change) => {
      const at = name === 'a record twice' ? ends[5] : ends[4]
      const damaged = change(bytes, ends[4], ends[5])
      await writeFile(file(), damaged)
      await expect(Engine.open({ directory })).rejects.toMatchObject({ code: 'CORRUPT_LOG', offset: at })
      const seen = await check()
      expect(seen.code).toBe(1)
      expect(seen.stdout).toContain(`  ${kind} at byte ${number(at)}: `)
      expect(seen.stdout).toContain('--fix')
      // Looking changes nothing.
      expect((await readFile(file())).equals(damaged)).toBe(true)
      const fixed = await check('--fix')
      expect(fixed.code).toBe(0)
      expect(fixed.stdout).toContain(
        `cut ${INCREMENT} at byte ${number(at)}; what was taken off is kept in ${INCREMENT}.cut-${at}`,
      )
      expect((await readFile(`${file()}.cut-${at}`)).equals(damaged.subarray(at))).toBe(true)
      await expectTurns(name === 'a record twice' ? 6 : 5)
    },
  )

  it('E8 repairs nothing while an engine has the directory, and names it', async () => {
    const engine = await Engine.open({ directory })
    const { code, stderr } = await check('--fix')
    expect(code).toBe(1)
    expect(stderr).toContain(`in use by process ${process.pid}`)
    expect((await check()).code).toBe(0)
    await engine.close()
    expect(await readdir(directory)).toEqual(['appendonlydir'])
  })
})

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] ^= 4
  return copy
}
