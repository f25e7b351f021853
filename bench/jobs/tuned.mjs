import { createClient } from 'redis'
import { ensureGroup, unfinishedIn } from './stream-group.mjs'

/**
 * What remains when the loop is tuned by hand: 500 a read, handlers of a batch in parallel, one XACK per batch, sent with
 * the next read, no AbortSignal per command (`timeout: 0`; node-redis arms one of 5,000 ms). No retry, no take-over, no deadline, and one failed handler loses the batch.
 */
export async function open({ port, count = 500, timeout = 0 }) {
  const options = { socket: { host: '127.0.0.1', port }, commandOptions: { timeout } }
  const client = await createClient(options).connect()
  const reader = await createClient(options).connect()
  let loop
  let open = true
  return {
    publish: (value) => client.xAdd('jobs', '*', { data: JSON.stringify(value) }),
    publishMany: (values) =>
      Promise.all(values.map((value) => client.xAdd('jobs', '*', { data: JSON.stringify(value) }))),
    async consume(handler) {
      await ensureGroup(client)
      loop = (async () => {
        let acknowledged
        while (open) {
          const streams = await reader.xReadGroup(
            'bench',
            'one',
            { key: 'jobs', id: '>' },
            { COUNT: count, BLOCK: 200 },
          )
          await acknowledged
          acknowledged = undefined
          for (const { messages } of streams ?? []) {
            await Promise.all(messages.map(({ message }) => handler(JSON.parse(message.data))))
            acknowledged = reader.xAck(
              'jobs',
              'bench',
              messages.map(({ id }) => id),
            )
          }
        }
        await acknowledged
      })()
    },
    unfinished: () => unfinishedIn(client),
    async close() {
      open = false
      await loop
      client.destroy()
      reader.destroy()
    },
  }
}
