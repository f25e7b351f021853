import { Queue, Worker } from 'bullmq'

/** BullMQ on its default client; finished jobs are removed, which is its cheapest setting. */
export async function open({ port }) {
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
  const queue = new Queue('jobs', { connection, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } })
  await queue.waitUntilReady()
  let worker
  return {
    publish: (value) => queue.add('job', value),
    publishMany: (values) => queue.addBulk(values.map((data) => ({ name: 'job', data }))),
    async consume(handler, concurrency) {
      worker = new Worker('jobs', (job) => handler(job.data), { connection, concurrency })
      worker.on('error', (error) => console.error(error))
      await worker.waitUntilReady()
    },
    async unfinished() {
      const counts = await queue.getJobCounts()
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    },
    async close() {
      await worker?.close()
      await queue.close()
    },
  }
}
