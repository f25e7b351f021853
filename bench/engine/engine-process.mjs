import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { Engine } from 'yeoul/engine'
import { serveRole } from '../harness/role.mjs'
import { job } from '../jobs/payload.mjs'

/** Distinct strings, as a producer has them; made beforehand, so that making them is not measured. */
function payloads(count) {
  return Array.from({ length: count }, (_, n) => JSON.stringify(job(n)))
}

async function measured(count, work) {
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  await work()
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { rate: count / seconds, cpu: (user + system) / count, cores: (user + system) / 1e6 / seconds }
}

/** Work in slices of one turn of the event loop each, as a server or an application does it. */
async function inTurns(count, perTurn, step) {
  for (let n = 0; n < count; n += perTurn) {
    const end = Math.min(count, n + perTurn)
    for (let i = n; i < end; i++) step(i)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

serveRole({
  /** Appends to an engine in memory. `form`: the payload as text or as a Buffer. A run before it does not count. */
  async append({ count, form }) {
    const texts = payloads(50_000)
    const values = form === 'buffer' ? texts.map((text) => Buffer.from(text)) : texts
    const engine = await Engine.open()
    const appendTo = (stream) => (i) => engine.streams.append(stream, ['data', values[i % values.length]])
    await inTurns(100_000, 1000, appendTo('warm'))
    const result = await measured(count, () => inTurns(count, 1000, appendTo('s')))
    await engine.close()
    return result
  },

  /**
   * Takes entries in hundreds and acknowledges each hundred. `payload`: 'no' looks at ids only, 'text' makes the payload
   * a string, 'json' parses it.
   */
  async readAcknowledge({ count, payload }) {
    const engine = await Engine.open()
    const { streams } = engine
    const values = payloads(50_000)
    await inTurns(count, 1000, (i) => streams.append('s', ['data', values[i % values.length]]))
    const consume = async (group) => {
      streams.createGroup('s', group, '0')
      let seen = 0
      while (seen < count) {
        for (let n = 0; n < 10; n++) {
          const [{ entries }] = streams.readGroup(['s'], group, 'one', { count: 100 })
          const ids = []
          for (const entry of entries) {
            ids.push(entry.id)
            if (payload === 'text') bytes += entry.fields[1].latin1Slice().length
            else if (payload === 'json') bytes += JSON.parse(entry.fields[1].toString()).n
          }
          seen += streams.acknowledge('s', group, ids)
        }
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    let bytes = 0
    await consume('warm')
    streams.destroyGroup('s', 'warm')
    const result = await measured(count, () => consume('g'))
    await engine.close()
    if (payload !== 'no' && bytes === 0) throw new Error('nothing was read')
    return result
  },

  /** Appends to a log on disk; each of `inFlight` producers waits until its entry is durable before it appends the next. */
  async commit({ directory, appendfsync, inFlight, count }) {
    const engine = await Engine.open({ directory, appendfsync })
    const values = payloads(10_000)
    const produce = async (total) => {
      let next = 0
      await Promise.all(
        Array.from({ length: inFlight }, async () => {
          while (next < total) {
            engine.streams.append('s', ['data', values[next++ % values.length]])
            await engine.committed()
          }
        }),
      )
    }
    await produce(Math.ceil(count / 4))
    const result = await measured(count, () => produce(count))
    await engine.close()
    return result
  },

  /** Writes a log of appends, deliveries and acknowledgements for `replay`. */
  async write({ directory, count }) {
    const engine = await Engine.open({ directory, appendfsync: 'no' })
    const { streams } = engine
    const values = payloads(10_000)
    streams.createGroup('s', 'g', '0', { makeStream: true })
    await inTurns(count, 1000, (i) => streams.append('s', ['data', values[i % values.length]]))
    for (let n = 0; n < count / 2; n += 100) {
      const [{ entries }] = streams.readGroup(['s'], 'g', 'one', { count: 100 })
      if (n % 200 === 0)
        streams.acknowledge(
          's',
          'g',
          entries.map(({ id }) => id),
        )
      if (n % 10_000 === 0) await engine.committed()
    }
    await engine.close()
  },

  async replay({ directory, count }) {
    let effects = 0
    let engine
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const result = await measured(1, async () => {
      engine = await Engine.open({
        directory,
        appendfsync: 'no',
        progress: (progress) => {
          effects = progress.effects
        },
      })
    })
    delay.disable()
    if (engine.streams.length('s') !== count) throw new Error(`${engine.streams.length('s')} of ${count} entries`)
    await engine.close()
    return {
      rate: effects * result.rate,
      entries: count * result.rate,
      seconds: 1 / result.rate,
      cpu: result.cpu / effects,
      stall: delay.max / 1e6,
    }
  },

  /**
   * Fills an engine in memory, then appends at an even pace for a while and watches the event loop: the longest turn, and
   * the garbage collections. A group reads along, as in a real system.
   */
  async resident({ count, perSecond, seconds }) {
    const values = payloads(10_000)
    global.gc?.()
    const before = process.memoryUsage()
    const engine = await Engine.open()
    const { streams } = engine
    await inTurns(count, 2000, (i) => streams.append('s', ['data', values[i % values.length]]))
    global.gc?.()
    const filled = process.memoryUsage()
    streams.createGroup('s', 'g', '$')
    const collections = []
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) collections.push(entry.duration)
    })
    observer.observe({ entryTypes: ['gc'] })
    let longest = 0
    const turns = []
    const startedAt = performance.now()
    let appended = 0
    let last = startedAt
    while (last - startedAt < seconds * 1000) {
      const due = Math.floor(((last - startedAt) / 1000) * perSecond)
      // What is late is made up in steps of 1,000, so that a pause is counted once and not again as a long turn.
      for (const end = Math.min(due, appended + 1000); appended < end; appended++) {
        streams.append('s', [
          'data',
          JSON.stringify({ n: appended, text: values[appended % values.length].slice(0, 180) }),
        ])
      }
      const [read] = streams.readGroup(['s'], 'g', 'one', { count: 1000 })
      if (read)
        streams.acknowledge(
          's',
          'g',
          read.entries.map(({ id }) => id),
        )
      await new Promise((resolve) => setImmediate(resolve))
      const at = performance.now()
      turns.push(at - last)
      longest = Math.max(longest, at - last)
      last = at
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
    observer.disconnect()
    turns.sort((a, b) => a - b)
    const result = {
      longest,
      p999: turns[Math.floor(turns.length * 0.999)],
      collection: Math.max(0, ...collections),
      collections: collections.reduce((sum, duration) => sum + duration, 0) / seconds,
      rate: appended / seconds,
      resident: (filled.rss - before.rss) / count,
      heap: (filled.heapUsed - before.heapUsed) / count,
    }
    await engine.close()
    return result
  },
})
