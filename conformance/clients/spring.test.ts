import { execFile, execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run, type Served, startServed } from './served.js'

const project = fileURLToPath(new URL('spring/', import.meta.url))
const source = path.join(project, 'src/main/java/yeoul/Flow.java')
const compiled = path.join(project, 'target/classes/yeoul/Flow.class')
const libraries = path.join(project, 'target/libraries')

/** Java and Maven are not among the components that a test run installs: without them this is a skip, in CI as well. */
function present(): boolean {
  try {
    for (const program of ['java', 'mvn']) execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    console.log('skipped: Java and Maven (default-jdk-headless, maven) are not installed')
    return false
  }
}

/**
 * Why the project cannot be run, if so. The first build asks Maven's repository for Spring Data Redis and lettuce; what is
 * built already needs no network.
 */
async function build(): Promise<string | undefined> {
  if (existsSync(libraries) && existsSync(compiled) && statSync(compiled).mtimeMs > statSync(source).mtimeMs) return
  try {
    await promisify(execFile)('mvn', ['-q', '-B', 'process-classes'], { cwd: project, timeout: 240_000 })
    return undefined
  } catch (error) {
    return `the Spring project could not be built: ${(error as Error).message.slice(0, 400)}`
  }
}

describe.skipIf(!present())('Spring Data Redis on lettuce', () => {
  let served: Served
  let missing: string | undefined

  beforeAll(async () => {
    missing = await build()
    served = await startServed()
  }, 300_000)
  afterAll(() => served?.stop())

  test.for(['2', '3'])(
    'E1 StreamMessageListenerContainer reads with and without a group (RESP%s)',
    async (protocol, { skip }) => {
      skip(missing !== undefined, missing)
      const classPath = [path.join(project, 'target/classes'), path.join(libraries, '*')].join(path.delimiter)
      const out = await run('java', ['-cp', classPath, 'yeoul.Flow', String(served.port), protocol])
      expect(out).toBe('done\n')
      expect(served.engine.databases[0].get('orders', Date.now())).toMatchObject({ length: 10 })
    },
  )
})
