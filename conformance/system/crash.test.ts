import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Chatter, freePort, System, temporaryDirectory } from './system.js'

/** The whole system under traffic, killed as the kernel kills, started again on the same directory. */
describe('kill -9 in mid-traffic', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  beforeAll(async () => {
    directory = await temporaryDirectory()
  })
  afterAll(() => directory.remove())

  it('E3 R1 R2: no acknowledged chat message is lost or doubled, and the room’s numbers have no gap', {
    timeout: 240_000,
  }, async () => {
    const place = {
      directory: directory.path,
      port: await freePort(),
      respPort: await freePort(),
      environment: { CHAT_SEND_RATE: '1000' },
    }
    const mina = new Chatter('미나', '여울')
    const jun = new Chatter('Jun', '여울')
    let sent = 0
    let system = await System.start(place)
    try {
      for (let round = 0; round < 3; round++) {
        await mina.connect(system)
        await jun.connect(system)
        // Kill while sends are under way: some are acknowledged, some are not, some never arrived.
        const before = mina.acknowledged.size
        const traffic = setInterval(() => {
          for (let n = 0; n < 4; n++) {
            const who = n % 2 === 0 ? mina : jun
            who.say(`${who.user}-${sent}`, `메시지 ${sent++} 회의는 세 시에 @Jun`)
          }
        }, 10)
        await mina.until(() => mina.acknowledged.size >= before + 60, `60 more are acknowledged in round ${round}`)
        await system.kill()
        clearInterval(traffic)
        system = await System.start(place)
      }
      // Both come back and send again what they have no answer for.
      await mina.connect(system)
      await jun.connect(system)
      for (const each of [mina, jun]) {
        await each.until(() => each.unacknowledged.size === 0, 'everything is acknowledged')
        await each.until(() => each.contiguous === sent, `all ${sent} messages are shown`)
      }

      const history = await system.history('여울')
      expect(history.map(({ seq }) => seq)).toEqual(Array.from({ length: sent }, (_, i) => i + 1))
      expect(new Set(history.map(({ clientId }) => clientId)).size).toBe(sent)
      const stored = new Map(history.map((message) => [message.clientId, message]))
      for (const each of [mina, jun]) {
        for (const [clientId, answer] of each.acknowledged) {
          expect(stored.get(clientId), clientId).toMatchObject(answer)
        }
        expect(each.conflicts).toEqual([])
        expect([...each.received.keys()].sort((a, b) => a - b)).toEqual(history.map(({ seq }) => seq))
      }
    } finally {
      mina.disconnect()
      jun.disconnect()
      await system.kill()
    }
  })
})
