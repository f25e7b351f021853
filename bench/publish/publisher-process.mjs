import { cpuOf } from '../harness/measure.mjs'
import { serveRole } from '../harness/role.mjs'
import { jobs } from '../jobs/payload.mjs'
import { CLIENTS } from './clients.mjs'

let client

serveRole({
  async open({ name, port }) {
    client = await CLIENTS[name]({ port })
  },

  /** A quarter more than `count` first, which does not count. `inFlight`: publishes at a time, or 'many' for one call per 1,000. */
  async publish({ count, inFlight, server }) {
    const values = jobs(0, 1000)
    const some = async (total) => {
      if (inFlight === 'many') {
        for (let n = 0; n < total; n += 1000) await client.publishMany(values)
        return
      }
      let next = 0
      const publishing = async () => {
        while (next < total) await client.publish(values[next++ % 1000])
      }
      await Promise.all(Array.from({ length: inFlight }, publishing))
    }
    await some(Math.ceil(count / 4))
    const serverBefore = cpuOf(server)
    const before = process.cpuUsage()
    const startedAt = performance.now()
    await some(count)
    const seconds = (performance.now() - startedAt) / 1000
    const { user, system } = process.cpuUsage(before)
    return {
      rate: count / seconds,
      client: (user + system) / count,
      server: (cpuOf(server) - serverBefore) / count,
      clientCores: (user + system) / 1e6 / seconds,
    }
  },

  close: () => client.close(),
})
