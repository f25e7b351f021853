import { Engine } from 'yeoul/engine'

/** The same work with nothing but the engine's own calls: append, group read, handler, acknowledge. What the runtime adds is measured against it. */
export async function open() {
  const engine = await Engine.open()
  const { streams } = engine
  let loop
  let open = true
  streams.createGroup('jobs', 'bench', '0', { makeStream: true })
  return {
    async publish(value) {
      const id = streams.append('jobs', ['data', JSON.stringify(value)])
      await engine.committed()
      return id
    },
    async consume(handler) {
      loop = (async () => {
        while (open) {
          const read = await streams.waitReadGroup(['jobs'], 'bench', 'one', { count: 500, block: 200 })
          for (const { entries } of read) {
            await Promise.all(entries.map(({ fields }) => handler(JSON.parse(fields[1].toString()))))
            streams.acknowledge(
              'jobs',
              'bench',
              entries.map(({ id }) => id),
            )
          }
        }
      })()
    },
    async unfinished() {
      const [group] = streams.groups('jobs')
      return Number(group.lag) + group.pending
    },
    async close() {
      open = false
      await loop
      await engine.close()
    },
  }
}
