import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { Engine, Request } from '../../packages/yeoul/src/engine/index.js'
import { startRedis } from '../servers.js'
import { peers } from './peers.js'
import { RawClient, show } from './resp.js'

for (const { name, program } of peers()) {
  describe.runIf(program !== undefined)('a directory with effects that are newer than the server', () => {
    it(`E7 loads in ${name}, idempotency records and entries given back included`, async () => {
      const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-newer-'))
      try {
        const engine = await Engine.open({ directory })
        const session = engine.createSession()
        const send = (...words: string[]) => engine.execute(session, Request.of(...words))
        send('XADD', 's', 'IDMP', 'producer', 'a', '*', 'f', 'v')
        send('XCFGSET', 's', 'IDMP-DURATION', '500')
        send('XADD', 's', 'IDMPAUTO', 'producer', '*', 'f', 'v')
        send('XADD', 's', '9999999999999-1', 'f', 'v')
        send('XGROUP', 'CREATE', 's', 'g', '0')
        send('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>')
        send('XNACK', 's', 'g', 'FAIL', 'IDS', '1', '9999999999999-1')
        await engine.rewriteLog()
        send('XADD', 's', 'IDMP', 'producer', 'b', '*', 'f', 'v')
        await engine.close()

        const server = await startRedis(['--appendonly', 'yes'], { program, directory })
        const client = await RawClient.open(server.port)
        const [length, pending] = await client.pipeline([
          ['XLEN', 's'],
          ['XAUTOCLAIM', 's', 'g', 'd', '1000000', '-', 'JUSTID'],
        ])
        client.close()
        await server.stop()
        expect(show(length)).toBe(':"4"')
        expect(show(pending)).toContain('$"9999999999999-1"')
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    })
  })
}
