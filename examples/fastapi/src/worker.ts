// Takes what FastAPI published (Python's notation, so text and not JSON) and answers on a stream that redis-py reads.
import { connect } from 'yeoul'

const yeoul = await connect(process.env.REDIS_URL ?? 'redis://127.0.0.1:6390')
const incoming = yeoul.topic('user-stream', { codec: 'text' })
const outgoing = yeoul.topic('reply-stream', { codec: 'text' })

const worker = incoming.worker('user-group', async (message) => {
  await outgoing.publish(`received ${message.value}`, { dedupe: message.id })
  console.log(`answered ${message.id}`)
})
await worker.start()
console.log('worker ready')

process.once('SIGTERM', async () => {
  await worker.stop()
  await yeoul.close()
})
