import { connect } from 'yeoul'

/** yeoul's runtime: retries, a deadline per attempt and metrics on. `target` is any address that connect() takes. */
export async function open({ target }) {
  const yeoul = await connect(target)
  yeoul.on('warning', () => {})
  const topic = yeoul.topic('jobs')
  let worker
  return {
    publish: (value) => topic.publish(value),
    publishMany: (values) => topic.publishMany(values),
    async consume(handler, concurrency) {
      worker = topic.worker('bench', (message) => handler(message.value), { concurrency, attempts: 5, timeout: '30s' })
      worker.on('error', ({ error }) => console.error(error))
      worker.on('attempt-failed', ({ error }) => console.error(error))
      await worker.start()
    },
    /** Jobs that are not acknowledged. */
    async unfinished() {
      const group = await yeoul.inspector.group('jobs', 'bench')
      return group === null ? undefined : (group.lag ?? Number.NaN) + group.pending
    },
    async close() {
      await worker?.stop()
      await yeoul.close()
    },
  }
}
