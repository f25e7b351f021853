import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformWithOxc } from 'vite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { acquireLock } from './lock-file.js'
import { DirectoryLocked } from './storage.js'

let modules: string
let directory: string
let path: string
const children: ChildProcess[] = []

// The other processes run plain Node, which takes no TypeScript.
beforeAll(async () => {
  modules = await mkdtemp(join(tmpdir(), 'yeoul-lock-modules-'))
  await writeFile(join(modules, 'package.json'), '{ "type": "module" }')
  for (const name of ['lock-file', 'storage']) {
    const source = fileURLToPath(new URL(`./${name}.ts`, import.meta.url))
    const { code } = await transformWithOxc(await readFile(source, 'utf8'), source)
    await writeFile(join(modules, `${name}.js`), code)
  }
})

afterAll(() => rm(modules, { recursive: true, force: true }))

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'yeoul-lock-'))
  path = join(directory, 'yeoul.lock')
})

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  await rm(directory, { recursive: true, force: true })
})

/** A process of its own that tries once and says how it went, then stays until it is killed. */
async function starter(): Promise<{ child: ChildProcess; answer: Promise<string> }> {
  const program = `
    const { acquireLock } = await import(${JSON.stringify(join(modules, 'lock-file.js'))})
    process.stdin.once('data', () => acquireLock(${JSON.stringify(path)}, 1700000000000).then(
      () => console.log('got it'), (error) => console.log(error.name + ' ' + error.message)))
    console.log('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  let text = ''
  const line = async (wanted: RegExp): Promise<string> => {
    while (!wanted.test(text)) text += (await once(child.stdout!, 'data'))[0]
    return text
  }
  await line(/ready\n/)
  return { child, answer: line(/ready\n.+\n/).then((all) => all.slice('ready\n'.length).trim()) }
}

describe('E8 the lock file', () => {
  it('names the owner to the second process, and is free again after release', async () => {
    const { child, answer } = await starter()
    child.stdin!.write('go')
    expect(await answer).toBe('got it')
    const error = await acquireLock(path, Date.now()).catch((reason) => reason)
    expect(error).toBeInstanceOf(DirectoryLocked)
    expect(error.owner).toMatchObject({ pid: child.pid, since: 1700000000000 })
    expect(error.message).toContain(`process ${child.pid}`)
    child.kill('SIGKILL')
    await once(child, 'exit')

    const lock = await acquireLock(path, Date.now())
    await expect(acquireLock(path, Date.now())).rejects.toBeInstanceOf(DirectoryLocked)
    await lock.release()
    expect(await readdir(directory)).toEqual([])
  })

  it('of processes that find a dead owner at the same time, one gets it', async () => {
    for (let round = 0; round < 3; round++) {
      const former = await starter()
      former.child.stdin!.write('go')
      expect(await former.answer).toBe('got it')
      former.child.kill('SIGKILL')
      await once(former.child, 'exit')

      const starters = await Promise.all([starter(), starter(), starter()])
      for (const { child } of starters) child.stdin!.write('go')
      const answers = await Promise.all(starters.map(({ answer }) => answer))
      expect(
        answers.filter((answer) => answer === 'got it'),
        answers.join('\n'),
      ).toHaveLength(1)
      expect(answers.filter((answer) => answer.startsWith('DirectoryLocked'))).toHaveLength(2)
      expect(await readdir(directory)).toEqual(['yeoul.lock'])
      for (const { child } of starters) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      await rm(path)
    }
  })

  it('sees through a process id that was given out again, and a machine that was started again', async () => {
    const lock = await acquireLock(path, 1)
    const owner = JSON.parse(await readFile(path, 'utf8'))
    await lock.release()
    const alive = async (changes: object): Promise<boolean> => {
      await writeFile(path, JSON.stringify({ ...owner, ...changes }))
      const next = await acquireLock(path, 2).catch((error) => error)
      if (next instanceof DirectoryLocked) return true
      await next.release()
      return false
    }
    expect(await alive({})).toBe(true)
    if (process.platform === 'linux') {
      expect(await alive({ started: '1' })).toBe(false)
      expect(await alive({ boot: 'another' })).toBe(false)
      expect(await alive({ boot: 'another', host: 'elsewhere' })).toBe(true)
      expect(await alive({ namespace: 'pid:[1]' })).toBe(true)
    }
    await writeFile(path, 'garbage')
    await expect(acquireLock(path, 2)).rejects.toThrow(/does not say by whom/)
  })
})
