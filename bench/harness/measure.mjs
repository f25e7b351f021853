import { readdirSync, readFileSync } from 'node:fs'

/**
 * CPU time a process has used, in µs, user + system, all its threads that still live. Linux counts it in ns per thread
 * (`schedstat`); /proc/<pid>/stat would count in ticks of 10 ms, too coarse for short runs.
 */
export function cpuOf(pid) {
  let total = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0])
  }
  return total / 1000
}

/** Resident memory of a process in bytes. */
export function residentOf(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) * 1024
}

export function now() {
  return performance.now()
}

/** Microseconds of the machine's monotonic clock: the same in every process. */
export function sharedMicros() {
  return Number(process.hrtime.bigint() / 1000n)
}

export function median(values) {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Of sorted values: the smallest that at least this share of them does not exceed. */
export function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))]
}
