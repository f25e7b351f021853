// The first program: a topic, a worker, a message. Nothing to install besides the package: the log is kept in
// ./.yeoul, or wherever YEOUL_URL says (`memory:`, `file:./data`, `redis://127.0.0.1:6379`).
import { connect } from 'yeoul'
import { z } from 'zod'

const yeoul = await connect()
const orders = yeoul.topic('orders', { schema: z.object({ id: z.string(), total: z.number() }) })

const billing = orders.worker('billing', async (message) => {
  console.log(`charged ${message.value.total} for ${message.value.id} (attempt ${message.attempt})`)
})
await billing.start()

for (let n = 1; n <= 3; n++) {
  const { id } = await orders.publish({ id: `o-${n}`, total: n * 10 })
  console.log(`published ${id}`)
}

// Drains on Ctrl-C; without it, a crash here would lose nothing either: the next start goes on.
process.once('SIGINT', async () => {
  await billing.stop()
  await yeoul.close()
})
