import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run, type Served, startServed } from './served.js'

/** Debian's python3 by name: another one may come first in PATH and has no redis. */
const PYTHON = '/usr/bin/python3'
const script = fileURLToPath(new URL('flow.py', import.meta.url))

function present(): boolean {
  try {
    execFileSync(PYTHON, ['-c', 'import redis.asyncio'], { stdio: 'ignore' })
    return true
  } catch {
    if (process.env.CI === 'true') throw new Error('python3-redis is not installed, and CI=true allows no skip')
    console.log('skipped: python3-redis is not installed')
    return false
  }
}

describe.skipIf(!present())('redis-py', () => {
  let served: Served
  beforeAll(async () => {
    served = await startServed()
  })
  afterAll(() => served.stop())

  test.each(['blocking', 'asyncio'])('E1 does the log by hand (%s)', async (kind) => {
    expect(await run(PYTHON, [script, kind, String(served.port)])).toBe('done\n')
  })
})
