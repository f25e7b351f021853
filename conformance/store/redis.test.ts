import { describe } from 'vitest'
import { openStore } from '../../packages/yeoul/src/stores/open.js'
import { hasRedis, startRedis } from '../servers.js'
import { storeSuite } from './suite.js'

describe.skipIf(!hasRedis())('real redis-server', () => {
  storeSuite(async () => {
    const server = await startRedis()
    return {
      make: () => openStore(server.url),
      expected: { kind: 'redis', cluster: false, durability: 'memory' },
      features: { slots: false },
      stop: () => server.stop(),
    }
  }, 'functions')

  storeSuite(async () => {
    const server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always'])
    return {
      make: () => openStore({ url: server.url, functions: false }),
      expected: { kind: 'redis', cluster: false, durability: 'always', warnings: [] },
      features: { slots: false },
      stop: () => server.stop(),
    }
  }, 'scripts, as on servers without functions')
})
