import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppendOnlyFile } from '../../packages/yeoul/src/engine/aof/log.js'
import { systemClock } from '../../packages/yeoul/src/engine/io/clock.js'
import { FileStorage } from '../../packages/yeoul/src/engine/io/file-storage.js'
import type { Request } from '../../packages/yeoul/src/engine/resp/request.js'
import { hasRedis, type RunningServer, startRedis } from '../servers.js'

const run = promisify(execFile)
const redisInstalled = hasRedis()

let directory: string
let server: RunningServer | undefined

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'yeoul-aof-'))
})

afterEach(async () => {
  await stop()
  await rm(directory, { recursive: true, force: true })
})

async function start(...options: string[]): Promise<void> {
  server = await startRedis(['--appendonly', 'yes', ...options], { directory })
}

async function stop(): Promise<void> {
  await server?.stop()
  server = undefined
}

async function redis(...words: string[]): Promise<string> {
  const { stdout } = await run('redis-cli', ['-p', String(server!.port), '--no-raw', ...words])
  return stdout.trimEnd()
}

async function openLog(apply: (request: Request, database: number) => void = () => {}): Promise<AppendOnlyFile> {
  return AppendOnlyFile.open({
    directory,
    storage: new FileStorage(),
    clock: systemClock,
    appendfsync: 'always',
    apply,
  })
}

async function checkWithRedis(): Promise<string> {
  const { stdout } = await run('redis-check-aof', [join(directory, 'appendonlydir', 'appendonly.aof.manifest')])
  return stdout
}

describe.skipIf(!redisInstalled)('a directory that yeoul wrote', () => {
  it('E7 redis-server starts on it and shows the same streams, groups and pending entries', async () => {
    const log = await openLog()
    for (let i = 1; i <= 200; i++) log.effect(0, 'XADD', 's', `${i}-1`, 'data', `value ${i}`)
    log.effect(0, 'XGROUP', 'CREATE', 's', 'g', '0', 'ENTRIESREAD', 0)
    await log.committed()
    log.openTransaction()
    const ids = Array.from({ length: 100 }, (_, i) => `${i + 1}-1`)
    log.effect(
      0,
      'XCLAIM',
      's',
      'g',
      'c',
      0,
      ...ids,
      'TIME',
      1700000000000,
      'RETRYCOUNT',
      3,
      'FORCE',
      'JUSTID',
      'LASTID',
      '100-1',
    )
    log.effect(0, 'XGROUP', 'SETID', 's', 'g', '100-1', 'ENTRIESREAD', 100)
    log.closeTransaction()
    log.effect(0, 'XACK', 's', 'g', ...ids.slice(0, 60))
    log.effect(5, 'SET', 'k', Buffer.from([0, 13, 10, 35, 255]))
    await log.committed()
    await log.close()

    expect(await checkWithRedis()).toContain('is valid')
    await start()
    expect(await redis('XLEN', 's')).toBe('(integer) 200')
    expect(await redis('XRANGE', 's', '7-1', '7-1')).toContain('"value 7"')
    const groups = await redis('XINFO', 'GROUPS', 's')
    expect(groups).toMatch(/"pending"\n\s+6\) \(integer\) 40/)
    expect(groups).toMatch(/"last-delivered-id"\n\s+8\) "100-1"/)
    expect(groups).toMatch(/"entries-read"\n\s+10\) \(integer\) 100/)
    expect(groups).toMatch(/"lag"\n\s+12\) \(integer\) 100/)
    const pending = await redis('XPENDING', 's', 'g', '-', '+', '1')
    expect(pending).toMatch(/"61-1"\n\s+2\) "c"\n\s+3\) \(integer\) \d+\n\s+4\) \(integer\) 3/)
    expect(await redis('-n', '5', 'GET', 'k')).toBe('"\\x00\\r\\n#\\xff"')
  })

  it('E7 also after compaction, and when a crash left several increments or a damaged tail was cut', async () => {
    const log = await openLog()
    for (let i = 1; i <= 500; i++) log.effect(2, 'SET', `k${i % 10}`, i)
    await log.rewrite((sink) => {
      const fixed = Array.from({ length: 10 }, (_, i) => [`k${i}`, i === 0 ? 500 : 490 + i] as const)
      return (function* () {
        for (const [key, value] of fixed) {
          sink.effect(2, 'SET', key, value)
          yield
        }
      })()
    })
    log.effect(2, 'SET', 'after', 1)
    await log.committed()
    await expect(
      log.rewrite((sink) => {
        sink.effect(0, 'SET', 'never', 1)
        return (function* () {
          yield
          throw new Error('abandoned')
        })()
      }),
    ).rejects.toThrow('abandoned')
    log.effect(2, 'INCR', 'after')
    await log.committed()
    await log.close()
    const files = (await readdir(join(directory, 'appendonlydir'))).sort()
    expect(files).toEqual([
      'appendonly.aof.1.base.aof',
      'appendonly.aof.2.incr.aof',
      'appendonly.aof.3.incr.aof',
      'appendonly.aof.manifest',
    ])
    await start()
    expect(await redis('-n', '2', 'DBSIZE')).toBe('(integer) 11')
    expect(await redis('-n', '2', 'MGET', 'k0', 'k9', 'after')).toBe('1) "500"\n2) "499"\n3) "2"')

    // Redis goes on in the same directory, and we go on behind it.
    await redis('-n', '2', 'SET', 'redis', '7')
    await stop()
    const seen: string[] = []
    const again = await openLog((request, database) => {
      seen.push(`${database} ${request.string(0)} ${request.string(1)}`)
    })
    expect(seen.at(-1)).toBe('2 SET redis')
    again.effect(2, 'SET', 'yeoul', 8)
    await again.close()
    expect(await checkWithRedis()).toContain('is valid')
    await start()
    expect(await redis('-n', '2', 'MGET', 'redis', 'yeoul')).toBe('1) "7"\n2) "8"')
  })
})

describe.skipIf(!redisInstalled)('a directory that Redis wrote', () => {
  it('E7 all its effects are replayed, base and increments, transactions and databases', async () => {
    await start('--aof-use-rdb-preamble', 'no', '--aof-timestamp-enabled', 'yes')
    for (let i = 1; i <= 20; i++) await redis('XADD', 's', `${i}-0`, 'f', `v${i}`)
    await redis('XGROUP', 'CREATE', 's', 'g', '0')
    await redis('BGREWRITEAOF')
    await expect.poll(() => redis('INFO', 'persistence')).toContain('aof_rewrite_in_progress:0')
    await redis('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '3', 'STREAMS', 's', '>')
    await redis('-n', '4', 'EVAL', "redis.call('SET','a','1') redis.call('SET','b','2')", '0')
    await redis('XACK', 's', 'g', '1-0')
    await stop()

    const effects: string[] = []
    const log = await openLog((request, database) => {
      const words = [String(database)]
      for (let i = 0; i < request.count; i++) words.push(request.string(i))
      effects.push(words.join(' '))
    })
    expect(effects.filter((effect) => effect.startsWith('0 XADD s '))).toHaveLength(20)
    expect(effects.some((effect) => effect.startsWith('0 XGROUP CREATE s g'))).toBe(true)
    expect(effects.filter((effect) => effect.startsWith('0 XCLAIM s g c 0 '))).toHaveLength(3)
    expect(effects.slice(-3)).toEqual(['4 SET a 1', '4 SET b 2', '0 XACK s g 1-0'])
    log.effect(0, 'XACK', 's', 'g', '2-0')
    await log.close()
    await start('--aof-use-rdb-preamble', 'no')
    expect(await redis('XPENDING', 's', 'g')).toMatch(/^1\) \(integer\) 1\n2\) "3-0"/)
  })

  it('E7 a base with an RDB preamble is refused with advice', async () => {
    await start('--aof-use-rdb-preamble', 'yes')
    await redis('SET', 'k', 'v')
    await stop()
    await expect(openLog()).rejects.toThrow(/aof-use-rdb-preamble no/)
  })
})
