/** What is asked of the runtime during and after any fault (R13, R14), and the table of what was measured. */
import { appendFile } from 'node:fs/promises'
import type { ExpectStatic } from 'vitest'
import { type Ledger, pause } from './ledger.js'

export interface Observed {
  /** ms it lasts before it is ended. */
  lasts: number
  /** ms of calm before it: what is not checkpointed by then is handled again when the group is lost. */
  warm?: number
  /** The workers cannot read meanwhile, and their health must say so (checked when the fault lasts long enough to be noticed). */
  red?: boolean
  /** What some error must have said: that the fault was felt. */
  felt?: RegExp
  /** The server itself loses data (entries, or where the group was). */
  loses?: 'everything' | 'group' | 'recent'
}

/** Times in ms; those of recovery begin at the end of the fault. */
export interface Measured {
  lasted: number
  resumed: number
  /** Undefined: health was never red. */
  green: number | undefined
  duplicates: number
  lost: number
}

/** A file to append the table's rows to; then faults are measured one by one, on a machine that does nothing else. */
export const tableFile = process.env.YEOUL_FAULT_TABLE

/** ms; the promise when measuring. On a busy machine only what is stuck fails. */
export const LIMIT = tableFile === undefined ? 15_000 : 5_000

export async function record(name: string, { lasted, resumed, green, duplicates, lost }: Measured): Promise<void> {
  if (tableFile === undefined) return
  const cells = [
    name,
    `${Math.round(lasted)} ms`,
    `${Math.round(resumed)} ms`,
    green === undefined ? 'no' : `yes, green after ${Math.round(green)} ms`,
    duplicates,
    lost,
  ]
  await appendFile(tableFile, `| ${cells.join(' | ')} |\n`)
}

/**
 * Runs a fault under a ledger, judges what came of it, and answers what was measured. `begin` begins the fault and answers what ends it.
 */
export async function observe(
  fault: Observed,
  ledger: Ledger,
  begin: () => Promise<() => unknown> | (() => unknown),
  expect: ExpectStatic,
): Promise<Measured> {
  await ledger.until(() => ledger.handled.size >= 100)
  await pause(fault.warm ?? 0)
  const held = ledger.held
  const before = ledger.handled.size
  let wasRed = false
  const watch = setInterval(() => (wasRed ||= !ledger.healthy), 5)
  const end = await begin()
  const begun = performance.now()
  await pause(fault.lasts)
  await end()
  const ended = performance.now()
  const lasted = ended - begun
  const publishedAfter = ledger.upNext + 1
  await ledger.until(() => [...ledger.handled.keys()].some((n) => n >= publishedAfter))
  const resumed = performance.now() - ended
  await expect.poll(() => ledger.healthy, { timeout: 30_000, interval: 5 }).toBe(true)
  const green = performance.now() - ended
  clearInterval(watch)
  await ledger.stopPublishing()

  // Nothing that the server kept is lost or skipped: all of it is handled.
  const entries: number[] = []
  for await (const message of ledger.topic.read()) entries.push(message.value.n)
  const kept = new Set(entries)
  const owed = () =>
    ledger.unhandled().filter((n) => fault.loses === undefined || fault.loses === 'group' || kept.has(n))
  await expect.poll(owed, { timeout: 30_000 }).toEqual([])
  // An acknowledgement that a failover lost leaves its entry pending until the visibility timeout (30 s) gives it to a worker.
  await expect
    .poll(async () => (await ledger.producer.inspector.group('jobs', 'g'))?.pending, { timeout: 60_000 })
    .toBe(0)
  const audit = (await ledger.producer.verify('jobs')).groups[0]
  expect(audit.counts).toMatchObject({ missing: 0, expired: 0, waiting: 0, pending: 0, dead: 0 })

  const lost = [...ledger.accepted.keys()].filter((n) => !kept.has(n)).length
  if (fault.loses === undefined) {
    expect(lost).toBe(0)
    // Each number is one entry: a publish whose answer was lost is not in the log twice.
    expect(entries.length).toBe(kept.size)
    expect(ledger.duplicates).toBeLessThanOrEqual(held + 16)
  }
  if (fault.loses === 'group') expect(ledger.duplicates).toBeLessThan(before)
  expect(resumed).toBeLessThan(LIMIT)
  expect(green).toBeLessThan(LIMIT)
  if (fault.red) expect(wasRed).toBe(true)
  if (fault.felt) expect([...ledger.complaints].join('\n')).toMatch(fault.felt)
  return { lasted, resumed, green: wasRed ? green : undefined, duplicates: ledger.duplicates, lost }
}
