// A worker in a process of its own, for tests that kill, freeze or block it. Prints one line for everything that happens.
// Arguments: URL, topic, what the handler does: wait (until SIGUSR2), or block (holds the event loop for so many ms: block:1500).
import { connect } from 'yeoul'

const [url, topic, work] = process.argv.slice(2)
const yeoul = await connect(url)
yeoul.on('warning', () => {})
yeoul.on('error', ({ where, error }) => console.log(`error ${where}: ${error.message}`))
yeoul.on('fenced', ({ id }) => console.log(`fenced ${id}`))
yeoul.on('dead-letter', ({ id }) => console.log(`dead-letter ${id}`))
const worker = yeoul.topic(topic).worker(
  'g',
  async (message, context) => {
    const told = new Promise((resolve) => process.once('SIGUSR2', resolve))
    console.log(`begun ${message.id} attempt ${message.attempt} fence ${context.fence}`)
    if (work.startsWith('block:')) {
      const until = performance.now() + Number(work.slice('block:'.length))
      while (performance.now() < until);
    } else {
      await told
    }
    console.log(`finished ${message.id}`)
  },
  { visibilityTimeout: 600, concurrency: 1 },
)
await worker.start()
console.log('ready')
