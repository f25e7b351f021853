import BeeQueue from 'bee-queue'

/** bee-queue without events and without jobs kept in the process, which is its cheapest setting. */
export async function open({ port }) {
  const settings = {
    redis: { host: '127.0.0.1', port },
    getEvents: false,
    sendEvents: false,
    storeJobs: false,
    removeOnSuccess: true,
  }
  const queue = await new BeeQueue('jobs', { ...settings, isWorker: false }).ready()
  let worker
  return {
    publish: (value) => queue.createJob(value).save(),
    async publishMany(values) {
      const errors = await queue.saveAll(values.map((value) => queue.createJob(value)))
      if (errors.size > 0) throw errors.values().next().value
    },
    async consume(handler, concurrency) {
      worker = await new BeeQueue('jobs', settings).ready()
      worker.process(concurrency, (job) => handler(job.data))
    },
    async unfinished() {
      const { waiting, active, failed, delayed } = await queue.checkHealth()
      return waiting + active + failed + delayed
    },
    async close() {
      await worker?.close()
      await queue.close()
    },
  }
}
