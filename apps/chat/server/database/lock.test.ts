import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DirectoryLocked, lock } from './lock.js'

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'yeoul-lock-'))
  path = join(directory, 'a', 'lock')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

it('E8: one holder at a time, named to the others', async () => {
  const first = await lock(path)
  await expect(lock(path)).rejects.toMatchObject({ name: 'DirectoryLocked', path, pid: process.pid })
  await first.release()
  await (await lock(path)).release()
})

it('E8: of several at once one gets it', async () => {
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => lock(path)))
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const result of results) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(DirectoryLocked)
})

it('a holder that no longer runs, or whose pid another process has, does not count', async () => {
  const held = await lock(path)
  const holder = JSON.parse(await readFile(path, 'utf8'))
  for (const stale of [
    { pid: 0x7fffffff, started: null },
    { ...holder, started: '1' },
  ]) {
    await held.release()
    await writeFile(path, JSON.stringify(stale))
    await (await lock(path)).release()
  }
})
