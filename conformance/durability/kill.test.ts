import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { hasYeoul, startYeoul } from '../servers.js'
import { Account } from './account.js'
import { random } from './random.js'

const kills = Number(process.env.KILLS ?? 3)
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

/** The real disk: the process is killed in mid-traffic, so that only what the system was given survives. */
describe.skipIf(!hasYeoul())('yeoul serve, killed in mid-traffic', () => {
  it.each(['always', 'everysec', 'no'])(
    `E3 appendfsync %s: nothing that was answered is lost, nothing is half (${kills} kills, seed ${seed})`,
    {
      timeout: 60_000 + kills * 20_000,
    },
    async (policy) => {
      const below = random(seed)
      const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-kill-'))
      const account = new Account(below)
      try {
        for (let round = 0; round <= kills; round++) {
          const server = await startYeoul(['--appendfsync', policy], { directory })
          try {
            await account.check(server.url)
            if (round === kills) break
            const enough = account.answered + 100 + below(400)
            await account.run(server.url, () => {
              if (account.answered >= enough) void server.kill()
            })
          } finally {
            await server.kill()
          }
        }
        expect(account.answered).toBeGreaterThan(kills * 100)
        console.log(`${policy}: ${kills} kills, ${account.answered} answers, seed ${seed}`)
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    },
  )
})
