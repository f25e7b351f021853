import { join } from 'node:path'
import type { Clock } from '../io/clock.js'
import type { Storage } from '../io/storage.js'
import type { EffectBuffer, EffectSink } from './effect-buffer.js'
import { RewriteAbandoned } from './errors.js'
import type { LogFile } from './manifest.js'
import { Pace } from './reader.js'
import { sealRecord } from './record.js'

/**
 * Fixes the state at the moment of the call; each step of the iterator writes a piece of it as effects. A generator
 * function fixes nothing before its first step: fix the state first, then answer the generator.
 */
export type Snapshot = (sink: EffectSink) => Iterator<unknown>

const RECORD_LENGTH = 256 * 1024

/** Writes the base in slices, from temporary file to its name, synced. Answers its length in bytes. */
export async function writeBase(
  storage: Storage,
  path: string,
  place: LogFile,
  steps: Iterator<unknown>,
  sink: EffectBuffer,
  clock: Clock,
  abandoned: () => boolean,
): Promise<number> {
  const temporary = join(path, `temp-${place.name}`)
  const file = await storage.open(temporary, 'create')
  let length = 0
  try {
    const pace = new Pace(clock)
    let spare: Buffer | undefined
    for (let done = false; !done; ) {
      // One step at least: a turn that was spent before it began must not keep the base from growing.
      do done = steps.next().done === true
      while (!done && sink.length < RECORD_LENGTH && !pace.spent)
      if (abandoned()) throw new RewriteAbandoned('the log is being closed')
      if (sink.length > 0 && (done || sink.length >= RECORD_LENGTH)) {
        const record = sink.take(spare)
        sealRecord(record, record.length, place, length, length)
        await file.write(length, record)
        length += record.length
        spare = Buffer.from(record.buffer)
      }
      if (!done) await pace.rest()
    }
    await file.datasync()
    await file.close()
    await storage.rename(temporary, join(path, place.name))
    await storage.syncDirectory(path)
    return length
  } catch (error) {
    await file.close().catch(() => {})
    // Which of the two is there depends on where it ended; what cannot be removed now is, when the log is opened again.
    for (const name of [temporary, join(path, place.name)]) await storage.unlink(name).catch(() => {})
    throw error
  }
}
