import { describe } from 'vitest'
import { openStore } from '../../packages/yeoul/src/stores/open.js'
import { peers } from '../resp/peers.js'
import { startRedis } from '../servers.js'
import { storeSuite } from './suite.js'

/** Servers newer than the system's; the suites beside this one judge that. YEOUL_NEWER=all judges scripts on them too. */
const withScripts = process.env.YEOUL_NEWER === 'all'

for (const { name, program } of peers().filter(({ name }) => name !== 'redis 7.0')) {
  const kind = name.startsWith('valkey') ? 'valkey' : 'redis'
  describe.runIf(program !== undefined)(name, () => {
    storeSuite(async () => {
      const server = await startRedis([], { program })
      return {
        make: () => openStore(server.url),
        expected: { kind, cluster: false, durability: 'memory' },
        features: { slots: false },
        stop: () => server.stop(),
      }
    }, 'functions')

    if (!withScripts) return
    storeSuite(async () => {
      const server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always'], { program })
      return {
        make: () => openStore({ url: server.url, functions: false }),
        expected: { kind, cluster: false, durability: 'always', warnings: [] },
        features: { slots: false },
        stop: () => server.stop(),
      }
    }, 'scripts, as on servers without functions')
  })
}
