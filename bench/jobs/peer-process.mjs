import { cpuOf, quantile, sharedMicros } from '../harness/measure.mjs'
import { serveRole } from '../harness/role.mjs'
import { job, jobs } from './payload.mjs'

/** One process of a jobs benchmark: a producer, a consumer, or both. `module` is one of the files beside this one. */
let peer
let finished

serveRole({
  async open({ module, ...options }) {
    const { open } = await import(module)
    peer = await open(options)
  },

  /** Publishes so many in bulks of 1,000. */
  async fill({ from = 0, count }) {
    const startedAt = performance.now()
    const cpu = process.cpuUsage()
    for (let n = from; n < from + count; n += 1000) await peer.publishMany(jobs(n, Math.min(1000, from + count - n)))
    const { user, system } = process.cpuUsage(cpu)
    return { seconds: (performance.now() - startedAt) / 1000, cpu: user + system }
  },

  /** Publishes at an even pace, each on its own. A late timer is made up for: what is due is published. */
  async pace({ perSecond, seconds }) {
    const total = perSecond * seconds
    const startedAt = sharedMicros()
    const open = new Set()
    let n = 0
    while (n < total) {
      const due = Math.min(total, Math.floor(((sharedMicros() - startedAt) * perSecond) / 1e6) + 1)
      while (n < due) {
        const publish = peer.publish(job(n++, sharedMicros()))
        open.add(publish)
        publish.then(() => open.delete(publish))
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await Promise.all(open)
  },

  /**
   * Handles `warmUp` + `count` jobs; the figures are those of the latter. `watch`: pids whose CPU time is wanted beside
   * this process's own. `ordered`: fails when a job comes out of turn.
   */
  consume({ concurrency, warmUp, count, watch = {}, ordered = false, latency = false }) {
    let handled = 0
    let begun
    const delays = []
    let done
    let fail
    finished = new Promise((resolve, reject) => {
      done = resolve
      fail = reject
    })
    finished.catch(() => {})
    const mark = () => ({
      at: performance.now(),
      own: process.cpuUsage(),
      others: Object.fromEntries(Object.entries(watch).map(([name, pid]) => [name, cpuOf(pid)])),
    })
    const handler = async (value) => {
      if (ordered && value.n !== handled) fail(new Error(`job ${value.n} came as number ${handled}`))
      if (latency && handled >= warmUp) delays.push(sharedMicros() - value.at)
      handled++
      if (handled === warmUp) begun = mark()
      if (handled === warmUp + count) {
        const ended = mark()
        const own = ended.own.user + ended.own.system - begun.own.user - begun.own.system
        const result = {
          seconds: (ended.at - begun.at) / 1000,
          consumer: own / count,
        }
        for (const name of Object.keys(watch)) result[name] = (ended.others[name] - begun.others[name]) / count
        if (latency) {
          delays.sort((a, b) => a - b)
          Object.assign(result, {
            p50: quantile(delays, 0.5) / 1000,
            p99: quantile(delays, 0.99) / 1000,
            max: delays[delays.length - 1] / 1000,
          })
        }
        done(result)
      }
    }
    return peer.consume(handler, concurrency)
  },

  finished: () => finished,

  /** Publishes with so many in flight while it consumes in the same process. */
  async publishEach({ count, inFlight }) {
    let next = 0
    const publishing = async () => {
      while (next < count) await peer.publish(job(next++))
    }
    await Promise.all(Array.from({ length: inFlight }, publishing))
  },

  /** Waits until every job is acknowledged; rejects when some stay behind. */
  async settled() {
    for (let i = 0; i < 100; i++) {
      if ((await peer.unfinished()) === 0) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${await peer.unfinished()} jobs are not acknowledged`)
  },

  close: () => peer.close(),
})
