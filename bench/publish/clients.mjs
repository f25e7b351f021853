/** Ways to publish a value as JSON to stream `jobs`: each opens to `{ publish, publishMany?, close }`. */
export const CLIENTS = {
  async yeoul({ port }) {
    const { connect } = await import('yeoul')
    const yeoul = await connect(`redis://127.0.0.1:${port}`)
    yeoul.on('warning', () => {})
    const topic = yeoul.topic('jobs')
    return {
      publish: (value) => topic.publish(value),
      publishMany: (values) => topic.publishMany(values),
      close: () => yeoul.close(),
    }
  },
  'node-redis': (options) => nodeRedis(options, {}),
  'node-redis, timeout 0': (options) => nodeRedis(options, { commandOptions: { timeout: 0 } }),
  async ioredis({ port }) {
    const { Redis } = await import('ioredis')
    const client = new Redis(port, '127.0.0.1')
    return {
      publish: (value) => client.xadd('jobs', '*', 'data', JSON.stringify(value)),
      close: () => client.disconnect(),
    }
  },
  async bullmq({ port }) {
    const { Queue } = await import('bullmq')
    const queue = new Queue('jobs', { connection: { host: '127.0.0.1', port, maxRetriesPerRequest: null } })
    await queue.waitUntilReady()
    return {
      publish: (value) => queue.add('job', value),
      publishMany: (values) => queue.addBulk(values.map((data) => ({ name: 'job', data }))),
      close: () => queue.close(),
    }
  },
}

async function nodeRedis({ port }, options) {
  const { createClient } = await import('redis')
  const client = await createClient({ socket: { host: '127.0.0.1', port }, ...options }).connect()
  return {
    publish: (value) => client.xAdd('jobs', '*', { data: JSON.stringify(value) }),
    close: () => client.destroy(),
  }
}
