import { describe } from 'vitest'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { listen } from '../../packages/yeoul/src/server/server.js'
import { openStore } from '../../packages/yeoul/src/stores/open.js'
import { hasYeoul, startYeoul } from '../servers.js'
import { storeSuite } from './suite.js'

describe('yeoul server', () => {
  storeSuite(async () => {
    const engine = await Engine.open()
    const server = await listen(engine, { port: 0, host: '127.0.0.1' })
    return {
      make: () => openStore(`redis://127.0.0.1:${server.port}`),
      expected: { kind: 'yeoul', cluster: false, durability: 'memory' },
      features: { slots: false },
      stop: async () => {
        await server.close()
        await engine.close()
      },
    }
  }, 'in this process, in memory')

  describe.skipIf(!hasYeoul())('as a process', () => {
    storeSuite(async () => {
      const server = await startYeoul(['--appendfsync', 'always'])
      return {
        make: () => openStore(server.url),
        expected: { kind: 'yeoul', cluster: false, durability: 'always', warnings: [] },
        features: { slots: false },
        stop: () => server.stop(),
      }
    }, 'yeoul serve, every write synced')
  })
})
