/** R2: publish resolves at the durability asked for, or says that it cannot. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { connect, type Yeoul } from '../../packages/yeoul/src/index.js'
import { hasRedis, hasYeoul, type RunningServer, startRedis, startYeoul } from '../servers.js'

describe('durability of a publish', () => {
  const ends: (() => Promise<unknown>)[] = []

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  const serve = async (starting: Promise<RunningServer>) => {
    const server = await starting
    ends.push(() => server.stop())
    return server
  }
  const open = async (target: string): Promise<Yeoul> => {
    const yeoul = await connect(target)
    yeoul.on('warning', () => {})
    ends.push(() => yeoul.close())
    return yeoul
  }

  it.runIf(hasRedis())('R2 { replicas: n } waits for the replicas, and says when they do not answer', async () => {
    const primary = await serve(startRedis())
    const replica = await serve(startRedis(['--replicaof', `127.0.0.1 ${primary.port}`]))
    const replication = () => execFileSync('redis-cli', ['-p', String(replica.port), 'info', 'replication']).toString()
    await expect.poll(replication, { timeout: 20_000 }).toContain('master_link_status:up')
    const topic = (await open(primary.url)).topic('orders')
    const published = await Promise.all(
      Array.from({ length: 50 }, (_, n) => topic.publish({ n }, { durability: { replicas: 1 } })),
    )
    expect(new Set(published.map(({ id }) => id)).size).toBe(50)
    expect(
      execFileSync('redis-cli', ['-p', String(replica.port), 'xlen', 'orders'])
        .toString()
        .trim(),
    ).toBe('50')
    const two = { dedupe: 'once', durability: { replicas: 2 } } as const
    await expect(topic.publish({ n: 50 }, two)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      outcome: 'unknown',
      retriable: true,
      message: expect.stringContaining('1 of 2 replicas'),
    })
    expect((await topic.publish({ n: 50 }, { dedupe: 'once', durability: { replicas: 1 } })).duplicate).toBe(true)
    expect((await topic.info())?.length).toBe(51)
  })

  it.runIf(hasRedis())("R2 'disk' is refused before anything is published where the server cannot say", async () => {
    for (const args of [[], ['--appendonly', 'yes', '--appendfsync', 'everysec']]) {
      const server = await serve(startRedis(args))
      const topic = (await open(server.url)).topic('orders')
      // Redis before 7.2 has no WAITAOF.
      await expect(topic.publish({}, { durability: 'disk' })).rejects.toMatchObject({
        code: 'STORE_REFUSED',
        outcome: 'none',
      })
      expect(await topic.info()).toBeNull()
    }
  })

  it.runIf(hasRedis())("R2 'disk' needs no more than the answer where every write is synced", async () => {
    const server = await serve(startRedis(['--appendonly', 'yes', '--appendfsync', 'always']))
    const topic = (await open(server.url)).topic('orders')
    await topic.publish({}, { durability: 'disk' })
    expect((await topic.info())?.length).toBe(1)
  })

  it.runIf(hasYeoul())("R2 'disk' on yeoul serve: every entry outlives kill -9", async () => {
    const server = await serve(startYeoul(['--appendonly', 'yes', '--appendfsync', 'everysec']))
    const topic = (await open(server.url)).topic('orders')
    await Promise.all(Array.from({ length: 20 }, (_, n) => topic.publish({ n }, { durability: 'disk' })))
    await expect(topic.publish({}, { durability: { replicas: 1 } })).rejects.toMatchObject({ code: 'STORE_REFUSED' })
    await server.kill()
    const { directory } = server
    const again = await serve(startYeoul(['--appendonly', 'yes'], { directory }))
    expect((await (await open(again.url)).topic('orders').info())?.length).toBe(20)
  })

  it('R2 the embedded engine syncs for it, and refuses what it cannot do', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-durability-'))
    ends.push(() => rm(directory, { recursive: true, force: true }))
    const kept = (await open(`file:${directory}`)).topic('orders')
    await kept.publish({ n: 1 }, { durability: 'disk' })
    await kept.publish({ n: 2 }, { durability: 'disk', delay: '1h' })
    await expect(kept.publish({}, { durability: { replicas: 1 } })).rejects.toMatchObject({ code: 'STORE_REFUSED' })
    expect((await kept.info())?.length).toBe(1)
    const fleeting = (await open('memory:')).topic('orders')
    await expect(fleeting.publish({}, { durability: 'disk' })).rejects.toMatchObject({ code: 'STORE_REFUSED' })
    await fleeting.publish({}, { durability: 'memory' })
    await expect(fleeting.publish({}, { durability: { replicas: 0 } })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    })
    expect((await fleeting.info())?.length).toBe(1)
  })
})
