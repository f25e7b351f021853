import type { Database } from '../keyspace/database.js'
import type { Request } from '../resp/request.js'
import { EntryId } from '../stream/entry-id.js'
import type { Stream } from '../stream/stream.js'
import { invalidId } from './arguments.js'
import { type Call, type Command, CommandError, type EngineState } from './command.js'
import { writeId } from './entries.js'
import { IdText } from './id-text.js'
import { type Idempotence, idempotenceOption, idempotentIdOf, onlyWithGeneratedIds, remember } from './idempotence.js'
import { applyTrim, logTrim, type Trim, TrimOptionsParser } from './trimming.js'
import { streamAt, streamOrNew } from './values.js'

const id = new EntryId()
/** The ID as it is logged. */
const text = new IdText()

/**
 * XADD key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMPAUTO pid | IDMP pid iid]
 *      [MAXLEN|MINID [=|~] threshold [LIMIT count]] <*|ms-*|id> field value [field value …]
 *
 * Options in any order; the first word that is none of them is the ID.
 */
function handler({ engine, database, request, reply, now }: Call): void {
  let at = 2
  let create = true
  let options: TrimOptionsParser | undefined
  let idempotence: Idempotence | undefined
  while (!isStar(request, at)) {
    if (request.is(at, 'NOMKSTREAM')) {
      create = false
      at++
    } else {
      options ??= new TrimOptionsParser(request)
      const next = options.option(at)
      if (next >= 0) at = next
      else {
        const option = idempotenceOption(request, at, idempotence)
        if (option === undefined) break
        idempotence = option
        at += option.idempotent === undefined ? 2 : 3
      }
    }
    if (at >= request.count) throw wrongArity()
  }
  const kind = parseId(request, at)
  const trim = options?.finish()
  const first = at + 1
  const fields = request.count - first
  if (fields < 2 || fields % 2 !== 0) throw wrongArity()
  // The log of another server gives the ID that was generated.
  if (idempotence !== undefined && kind !== 'auto' && !engine.loading) throw onlyWithGeneratedIds()
  if (kind === 'given' && id.isZero()) throw new CommandError('ERR The ID specified in XADD must be greater than 0-0')

  const key = request.name(1)
  let stream = streamAt(database, key, now)
  if (stream === undefined) {
    if (!create) {
      reply.nil()
      return
    }
    stream = streamOrNew(engine, database, key, now)
  }
  if (idempotence !== undefined) {
    const target = stream
    const { producer, idempotent = idempotentIdOf(request, first) } = idempotence
    const known = target.idempotency.find(producer, idempotent)
    if (known !== undefined) {
      target.idempotency.duplicates++
      writeId(reply, known)
      return
    }
    resolveId(target, kind, now)
    engine.transaction(() => {
      append(engine, database, key, target, request, first, trim)
      remember(engine, database, key, target, producer, idempotent, id)
    })
  } else {
    resolveId(stream, kind, now)
    append(engine, database, key, stream, request, first, trim)
  }
  writeId(reply, id)
}

/** Appends the fields that begin at argument `first`, under `id`. */
function append(
  engine: EngineState,
  database: Database,
  key: string,
  stream: Stream,
  request: Request,
  first: number,
  trim: Trim | undefined,
): void {
  const { bytes, count } = request
  const [start, end] = [request.head(first), request.end(count - 1) + 2]
  applyAppend(engine, database, key, stream, id, bytes, start, end, (count - first) / 2, trim)
}

type IdKind = 'auto' | 'partial' | 'given'

function isStar(request: Request, i: number): boolean {
  return request.length(i) === 1 && request.bytes[request.start(i)] === STAR
}

/** Reads the ID into `id`. */
function parseId(request: Request, i: number): IdKind {
  if (isStar(request, i)) return 'auto'
  if (id.readBytes(request.bytes, request.start(i), request.end(i))) return 'given'
  const word = request.string(i)
  const partial = word.endsWith('-*')
  const parsed = EntryId.parse(partial ? word.slice(0, -2) : word)
  if (parsed === undefined || (partial && word.indexOf('-') !== word.length - 2)) throw invalidId()
  id.set(parsed)
  return partial ? 'partial' : 'given'
}

/** Completes `id` for this stream. */
function resolveId(stream: Stream, kind: IdKind, now: number): void {
  const { lastId } = stream
  if (lastId.isMax()) {
    throw new CommandError('ERR The stream has exhausted the last possible ID, unable to add more items')
  }
  if (kind === 'auto') {
    stream.nextId(now, id)
    return
  }
  if (kind === 'partial') {
    id.seqHi = id.seqLo = 0
    if (id.msHi === lastId.msHi && id.msLo === lastId.msLo) {
      id.set(lastId)
      id.increment()
      if (id.msHi !== lastId.msHi || id.msLo !== lastId.msLo) throw smallerId()
    }
  }
  if (id.compare(lastId) <= 0) throw smallerId()
}

function smallerId(): CommandError {
  return new CommandError('ERR The ID specified in XADD is equal or smaller than the target stream top item')
}

function wrongArity(): CommandError {
  return new CommandError("ERR wrong number of arguments for 'xadd' command")
}

/**
 * Appends, then trims. `id` is above the stream's last; source[start, end) is the field list in wire form. Logged with
 * the ID that was given, so that replay needs no clock.
 */
export function applyAppend(
  engine: EngineState,
  database: Database,
  key: string,
  stream: Stream,
  id: EntryId,
  source: Buffer,
  start: number,
  end: number,
  fieldCount: number,
  trim?: Trim,
): void {
  stream.append(id, source, start, end, fieldCount)
  const { log } = engine
  if (log !== undefined) {
    text.clear()
    text.add(id)
    log.begin(database.index, 3 + fieldCount * 2)
    log.bulk('XADD')
    log.bulk(key)
    log.raw(text.bytes, 0, text.length)
    log.raw(source, start, end)
  }
  engine.notify('t', 'xadd', database, key)
  if (trim !== undefined) {
    const trimmed = applyTrim(engine, database, key, stream, trim)
    if (trimmed.removed > 0) {
      logTrim(engine, database, key, stream, trimmed)
      engine.notify('t', 'xtrim', database, key)
    }
  }
  database.touch(key)
  engine.blocked.signal(database.index, key)
}

const STAR = 42

export const xadd: Command = {
  name: 'xadd',
  arity: -5,
  flags: ['write', 'denyoom', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '5.0.0',
  group: 'stream',
  summary: 'Appends a new entry to a stream. Creates the key if it does not exist.',
  complexity: 'O(1) when adding an entry, O(N) when trimming, N being the number of entries evicted.',
  categories: ['write', 'stream', 'fast'],
  handler,
}
