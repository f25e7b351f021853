// The worker that the hand-written loop should have been: any number of these share the group; a crashed one's messages
// are taken over, a failing message is retried and then put aside, and nothing that came before the first start is skipped.
import { connect } from 'yeoul'

const yeoul = await connect(process.env.REDIS_URL ?? 'redis://127.0.0.1:6390')
const users = yeoul.topic<{ user: string; text: string }>('user-stream')

const worker = users.worker(
  'user-group',
  async (message) => {
    if (typeof message.value?.user !== 'string') throw new Error('a user is missing')
    console.log(`handled ${message.id} ${JSON.stringify(message.value)} attempt ${message.attempt}`)
  },
  { attempts: 3, backoff: { type: 'exponential', base: '100ms', max: '5s' } },
)
worker.on('dead-letter', ({ id, reason }) => console.log(`put aside ${id}: ${reason}`))
await worker.start()
console.log('worker ready')

process.once('SIGTERM', async () => {
  await worker.stop()
  await yeoul.close()
})
