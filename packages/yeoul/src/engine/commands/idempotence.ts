import { createHash } from 'node:crypto'
import type { Database } from '../keyspace/database.js'
import { logNewer } from '../newer-effects.js'
import type { Request } from '../resp/request.js'
import type { EntryId } from '../stream/entry-id.js'
import type { Stream } from '../stream/stream.js'
import { CommandError, type EngineState } from './command.js'

/** What makes an addition idempotent: who adds, and its name for what it adds. */
export interface Idempotence {
  readonly producer: string
  /** Undefined: it follows from the fields. */
  readonly idempotent: string | undefined
}

/**
 * Reads IDMP producer id or IDMPAUTO producer at argument `i`; undefined when neither begins there. IDMP takes two
 * arguments and IDMPAUTO one.
 */
export function idempotenceOption(
  request: Request,
  i: number,
  before: Idempotence | undefined,
): Idempotence | undefined {
  const more = request.count - 1 - i
  const auto = more > 0 && request.is(i, 'IDMPAUTO')
  if (!auto && !(more > 1 && request.is(i, 'IDMP'))) return undefined
  if (before !== undefined) throw refusal('IDMP/IDMPAUTO specified multiple times')
  const producer = request.string(i + 1)
  if (producer === '') throw refusal(`${auto ? 'IDMPAUTO' : 'IDMP'} requires a non-empty producer ID`)
  if (auto) return { producer, idempotent: undefined }
  const idempotent = request.string(i + 2)
  if (idempotent === '') throw refusal('IDMP requires a non-empty idempotent ID')
  return { producer, idempotent }
}

export function onlyWithGeneratedIds(): CommandError {
  return refusal('IDMP/IDMPAUTO can be used only with auto-generated IDs')
}

function refusal(text: string): CommandError {
  return new CommandError(`ERR syntax error, ${text}`)
}

/**
 * An idempotent ID that follows from the fields from argument `first` on: 128 bits, the same in whatever order the pairs
 * stand. Each pair is hashed with the length of its name, so that `ab`=`c` is not `a`=`bc`, and the sums are added.
 */
export function idempotentIdOf(request: Request, first: number): string {
  const sum = new Uint32Array(4)
  const length = Buffer.alloc(8)
  for (let i = first; i < request.count; i += 2) {
    length.writeUInt32LE(request.length(i), 0)
    length.writeUInt32LE(request.length(i + 1), 4)
    const hash = createHash('sha256')
      .update(length)
      .update(request.view(i))
      .update(request.view(i + 1))
      .digest()
    let carry = 0
    for (let word = 0; word < 4; word++) {
      const total = sum[word] + hash.readUInt32LE(word * 4) + carry
      sum[word] = total
      carry = total > 0xffffffff ? 1 : 0
    }
  }
  return Buffer.from(sum.buffer).toString('latin1')
}

/** Keeps and logs that the producer's addition became entry `id`. */
export function remember(
  engine: EngineState,
  database: Database,
  key: string,
  stream: Stream,
  producer: string,
  idempotent: string,
  id: EntryId,
): void {
  const records = stream.idempotency
  if (engine.log !== undefined && !records.logged) logSettings(engine, database, key, stream)
  if (!records.add(producer, idempotent, id)) return
  engine.idempotency.watch(records)
  if (engine.log !== undefined) {
    logNewer(engine.log, database.index, 'XIDMPRECORD', key, producer, idempotent, id.toString())
  }
}

/** Logs how long and how many records the stream keeps. */
export function logSettings(engine: EngineState, database: Database, key: string, stream: Stream): void {
  const { idempotency } = stream
  idempotency.logged = true
  if (engine.log === undefined) return
  const { duration, maxSize } = idempotency
  logNewer(engine.log, database.index, 'XCFGSET', key, 'IDMP-DURATION', duration, 'IDMP-MAXSIZE', maxSize)
}
