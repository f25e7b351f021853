import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Running } from '../../../conformance/processes.js'

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url))

describe('examples/quickstart', () => {
  it('R1 R15: three orders are charged once each, and nothing is charged again by a second start', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'yeoul-quickstart-'))
    try {
      for (const start of [1, 2]) {
        const run = Running.start(process.execPath, [program], { YEOUL_URL: `file:${directory}/data` })
        await run.printed(/charged 30 for o-3/)
        await run.end('SIGINT')
        expect(run.output.match(/charged/g), `start ${start}:\n${run.output}`).toHaveLength(3)
        expect(run.output.match(/attempt 1\)/g)).toHaveLength(3)
      }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
