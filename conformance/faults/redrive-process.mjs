// Redrives all dead letters of group g, printing its progress, until it is done or killed. Arguments: URL, topic.
import { connect } from 'yeoul'

const [url, topic] = process.argv.slice(2)
const yeoul = await connect(url)
yeoul.on('warning', () => {})
const progress = await yeoul
  .topic(topic)
  .deadLetters('g')
  .redrive({ all: true, onProgress: ({ redriven, total }) => console.log(`redriven ${redriven} of ${total}`) })
console.log(`done ${progress.redriven}`)
await yeoul.close()
