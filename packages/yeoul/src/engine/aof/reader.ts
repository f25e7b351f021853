import type { Clock } from '../io/clock.js'
import type { StorageFile } from '../io/storage.js'
import { Request } from '../resp/request.js'
import { INCOMPLETE, parseCommand } from './command.js'
import type { DamageKind } from './errors.js'
import { HEADER_LENGTH, parseHeader, type RecordPlace, verifyRecord } from './record.js'
import { Window } from './window.js'

const ANNOTATION_LIMIT = 1024
const SLICE = 5

/** Lets the event loop serve others once a slice of 5 ms is used up. */
export class Pace {
  #until: number

  constructor(readonly clock: Clock) {
    this.#until = clock.monotonic() + SLICE
  }

  get spent(): boolean {
    return this.clock.monotonic() >= this.#until
  }

  async rest(): Promise<void> {
    await new Promise<void>((resolve) => this.clock.endOfTurn(resolve))
    this.#until = this.clock.monotonic() + SLICE
  }
}

/** Where reading stopped before the end of the file. */
export interface Stop {
  /** Where the bad record or command begins. */
  offset: number
  kind: Extract<DamageKind, 'torn' | 'checksum' | 'malformed' | 'unfinished-transaction'>
  detail: string
}

export interface FileReport {
  size: number
  records: number
  /** Effects read, SELECT, MULTI and EXEC not counted. */
  effects: number
  /** Bytes of commands that no checksum covers: Redis wrote them. */
  unchecked: number
  /** Largest length a sound record knows to be synced. */
  synced: number
  stop: Stop | undefined
}

/** `offset`: where the effect begins in the file. The request is valid during the call. */
export type EffectVisitor = (request: Request, database: number, offset: number) => void

/**
 * Reads one file from its beginning and visits each effect. A record is visited only after its checksum matched, a
 * transaction only after its EXEC was read. Stops at the first bytes that are not sound; judging them is damage.ts'
 * business. `advanced` is told the offset reached, about once in a slice.
 */
export async function readFile(
  file: StorageFile,
  place: RecordPlace,
  pace: Pace,
  visit: EffectVisitor,
  advanced?: (offset: number, effects: number) => void,
): Promise<FileReport> {
  const size = await file.size()
  const window = new Window(file, size)
  const report: FileReport = { size, records: 0, effects: 0, unchecked: 0, synced: 0, stop: undefined }
  const replay = new Replay(visit, report)
  const request = new Request()
  let offset = 0

  const stop = (kind: Stop['kind'], detail: string, at = offset): FileReport => {
    report.stop = { offset: replay.transactionStart >= 0 ? replay.transactionStart : at, kind, detail }
    return report
  }

  while (offset < size) {
    await window.need(offset, Math.min(HEADER_LENGTH, size - offset))
    const first = window.bytes[window.at(offset)]
    if (first === 35) {
      await window.need(offset, Math.min(ANNOTATION_LIMIT, size - offset))
      const start = window.at(offset)
      if (window.bytes[start + 1] === 99 && size - offset >= HEADER_LENGTH) {
        const header = parseHeader(window.bytes, start)
        if (header === undefined) return stop('malformed', 'the header of a record is unreadable')
        const total = HEADER_LENGTH + header.length
        if (offset + total > size) {
          return stop('torn', `the record announces ${total} bytes, ${size - offset} are left`)
        }
        await window.need(offset, total)
        let at = window.at(offset)
        const shift = offset - at
        if (!verifyRecord(window.bytes, at, header, place, offset)) {
          return stop('checksum', `the checksum of the record of ${total} bytes does not match`)
        }
        const end = at + total
        at += HEADER_LENGTH
        while (at < end) {
          const next = parseCommand(window.bytes, at, end, request)
          if (next < 0) return stop('malformed', 'a record with a right checksum holds no whole commands', at + shift)
          replay.command(request, at + shift)
          at = next
          if ((report.effects & 63) === 0 && pace.spent) {
            advanced?.(at + shift, report.effects)
            await pace.rest()
          }
        }
        report.records++
        report.synced = Math.max(report.synced, header.synced)
        offset += total
        continue
      }
      const line = window.bytes.indexOf(10, start)
      const found = line >= 0 && line < Math.min(window.end, start + ANNOTATION_LIMIT)
      if (!found) {
        if (size - offset < ANNOTATION_LIMIT) return stop('torn', 'the file ends inside an annotation')
        return stop('malformed', 'an annotation is too long')
      }
      const text = window.bytes.toString('latin1', start, line)
      if (!/^#TS:\d+\r?$/.test(text)) return stop('malformed', 'an unknown annotation')
      offset += line + 1 - start
    } else {
      const start = window.at(offset)
      const next = parseCommand(window.bytes, start, window.end, request)
      if (next === INCOMPLETE) {
        const present = window.end - start
        if (offset + present >= size) return stop('torn', 'the file ends inside a command')
        await window.need(offset, Math.min(size - offset, Math.max(2 * present, 64 * 1024)))
        continue
      }
      if (next < 0) return stop('malformed', 'neither a command nor an annotation')
      replay.command(request, offset)
      report.unchecked += next - start
      offset += next - start
    }
    if ((report.effects & 63) === 0 && pace.spent) {
      advanced?.(offset, report.effects)
      await pace.rest()
    }
  }
  if (replay.transactionStart >= 0) return stop('unfinished-transaction', 'MULTI without EXEC at the end of the file')
  return report
}

/** Follows SELECT, MULTI and EXEC through one file. */
class Replay {
  /** Offset of the open MULTI; −1 = none. */
  transactionStart = -1
  #database = 0
  #queued: { request: Request; database: number; offset: number }[] = []

  constructor(
    readonly visit: EffectVisitor,
    readonly report: FileReport,
  ) {}

  command(request: Request, offset: number): void {
    const length = request.length(0)
    if (length === 6 && request.is(0, 'SELECT')) {
      this.#database = Number(request.string(1))
    } else if (length === 5 && request.is(0, 'MULTI')) {
      this.transactionStart = offset
    } else if (length === 4 && request.is(0, 'EXEC')) {
      this.transactionStart = -1
      for (const effect of this.#queued) {
        this.report.effects++
        this.visit(effect.request, effect.database, effect.offset)
      }
      this.#queued = []
    } else if (this.transactionStart >= 0) {
      this.#queued.push({ request: request.retain(), database: this.#database, offset })
    } else {
      this.report.effects++
      this.visit(request, this.#database, offset)
    }
  }
}
