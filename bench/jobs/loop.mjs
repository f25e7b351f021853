import { createClient } from 'redis'
import { ensureGroup, unfinishedIn } from './stream-group.mjs'

/**
 * The loop people write first: read one, handle it, acknowledge it, read the next. No retry, no take-over.
 * `timeout: 0` spares node-redis the AbortSignal it arms for every command.
 */
export async function open({ port, timeout }) {
  const options = { socket: { host: '127.0.0.1', port }, ...(timeout === 0 ? { commandOptions: { timeout: 0 } } : {}) }
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
        while (open) {
          const streams = await reader.xReadGroup('bench', 'one', { key: 'jobs', id: '>' }, { COUNT: 1, BLOCK: 200 })
          for (const { messages } of streams ?? []) {
            for (const { id, message } of messages) {
              await handler(JSON.parse(message.data))
              await reader.xAck('jobs', 'bench', id)
            }
          }
        }
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
