import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
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
  for (const name of ['lock-file', 'alive-socket', 'storage']) {
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

/** Files of the directory, sockets aside. */
async function names(): Promise<string[]> {
  return (await readdir(directory)).filter((name) => !name.endsWith('.alive'))
}

/** A process of its own that tries once and says how it went, then stays until it is killed. */
async function starter(...inside: string[]): Promise<{ child: ChildProcess; answer: Promise<string> }> {
  const program = `
    const { acquireLock } = await import(${JSON.stringify(join(modules, 'lock-file.js'))})
    process.stdin.once('data', () => acquireLock(${JSON.stringify(path)}, 1700000000000).then(
      () => console.log('got it'), (error) => console.log(error.name + ' ' + error.message)))
    console.log('ready')`
  const [command, ...args] = [...inside, process.execPath, '--input-type=module', '-e', program]
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
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
      expect(await names()).toEqual(['yeoul.lock'])
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

  it.skipIf(!hasNamespaces())('sees from one container whether the owner in another one is alive', async () => {
    const container = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
    const former = await starter(...container)
    former.child.stdin!.write('go')
    expect(await former.answer).toBe('got it')
    const error = await acquireLock(path, 2).catch((reason) => reason)
    expect(error).toBeInstanceOf(DirectoryLocked)
    expect(error.message).toContain('another container of this machine')
    // And the other way round, while its process stands still.
    const other = await starter(...container)
    other.child.stdin!.write('go')
    expect(await other.answer).toContain('another container of this machine')

    former.child.kill('SIGKILL')
    await once(former.child, 'exit')
    await expect.poll(() => acquireLock(path, 3).then((lock) => lock.release(), String)).toBeUndefined()
    expect(await readdir(directory)).toEqual([])
  })

  it('respects an owner in another container of which it cannot be told', async () => {
    const lock = await acquireLock(path, 1)
    const owner = JSON.parse(await readFile(path, 'utf8'))
    await lock.release()
    const { socket, ...without } = owner
    for (const text of [without, { ...owner, socket: { ...socket, device: -1 } }]) {
      await writeFile(path, JSON.stringify({ ...text, namespace: 'pid:[1]' }))
      await expect(acquireLock(path, 2)).rejects.toThrow(/cannot be seen from here/)
    }
  })

  it('works in directories whose names are longer than those of sockets may be', async () => {
    const deep = join(directory, 'a'.repeat(120))
    await mkdir(deep)
    const lock = await acquireLock(join(deep, 'yeoul.lock'), 1)
    if (process.platform === 'linux') expect(await readdir(deep)).toHaveLength(2)
    await lock.release()
    expect(await readdir(deep)).toEqual([])
  })
})

function hasNamespaces(): boolean {
  try {
    execFileSync('unshare', ['--pid', '--fork', '--mount-proc', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    console.log('skipped: processes cannot be put into namespaces of their own here')
    return false
  }
}
