/** R3: worker processes that are killed, frozen past their visibility timeout and thawed, or block their event loop. */
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connect, type Yeoul } from '../../packages/yeoul/src/index.js'
import { Running } from '../processes.js'
import { hasRedis, hasYeoul, type RunningServer, startRedis } from '../servers.js'

const script = fileURLToPath(new URL('worker-process.mjs', import.meta.url))

describe.skipIf(!hasRedis() || !hasYeoul())('worker processes in trouble', () => {
  let server: RunningServer
  let yeoul: Yeoul
  let child: Running | undefined

  beforeEach(async () => {
    server = await startRedis()
    yeoul = await connect(server.url)
    yeoul.on('warning', () => {})
    yeoul.on('error', () => {})
  })

  afterEach(async () => {
    child?.child.kill('SIGKILL')
    await child?.end('SIGKILL')
    child = undefined
    await yeoul.close()
    await server.stop()
  })

  const doomed = async (work: string) => {
    child = Running.start(process.execPath, [script, server.url, 'jobs', work])
    await child.printed(/ready/)
    return child
  }

  /** A second worker in this process; resolves with what it handled first: id, attempt and fence. */
  const heir = async () => {
    let tell!: (handled: { id: string; attempt: number; fence: number }) => void
    const handled = new Promise<{ id: string; attempt: number; fence: number }>((resolve) => {
      tell = resolve
    })
    const worker = yeoul
      .topic('jobs')
      .worker('g', (message, { fence }) => tell({ id: message.id, attempt: message.attempt, fence }), {
        visibilityTimeout: 600,
      })
    await worker.start()
    return handled
  }

  const accountedFor = async (id: string) => {
    await expect
      .poll(async () => (await yeoul.verify('jobs', { ids: [id] })).groups[0].asked, { timeout: 20_000 })
      .toMatchObject([{ id, state: 'acknowledged' }])
    const { counts } = (await yeoul.verify('jobs')).groups[0]
    expect(counts).toMatchObject({ acknowledged: 1, dead: 0, missing: 0, pending: 0 })
  }

  it('R3 R4 what a worker killed with -9 had is handled by another one, the attempt counted', async () => {
    const victim = await doomed('wait')
    const { id } = await yeoul.topic('jobs').publish({ n: 1 })
    await victim.printed(new RegExp(`begun ${id} attempt 1`))
    await victim.end('SIGKILL')
    expect(await heir()).toEqual({ id, attempt: 2, fence: 2 })
    await accountedFor(id)
  })

  it('R3 a worker frozen past its visibility timeout is fenced when it thaws', async () => {
    const zombie = await doomed('wait')
    const { id } = await yeoul.topic('jobs').publish({ n: 1 })
    await zombie.printed(new RegExp(`begun ${id} attempt 1 fence 1`))
    zombie.child.kill('SIGSTOP')
    expect(await heir()).toEqual({ id, attempt: 2, fence: 2 })
    zombie.child.kill('SIGCONT')
    zombie.child.kill('SIGUSR2')
    await zombie.printed(new RegExp(`fenced ${id}`))
    await accountedFor(id)
  })

  it('R3 a worker that blocks its event loop past the visibility timeout is fenced when it goes on', async () => {
    const blocked = await doomed('block:2500')
    const { id } = await yeoul.topic('jobs').publish({ n: 1 })
    await blocked.printed(new RegExp(`begun ${id} attempt 1`))
    const next = await heir()
    expect(next).toEqual({ id, attempt: 2, fence: 2 })
    await blocked.printed(new RegExp(`finished ${id}`))
    await blocked.printed(new RegExp(`fenced ${id}`))
    await accountedFor(id)
  })
})
