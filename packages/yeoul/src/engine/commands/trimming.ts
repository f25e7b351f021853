import type { Database } from '../keyspace/database.js'
import type { Request } from '../resp/request.js'
import type { EntryId } from '../stream/entry-id.js'
import type { Stream } from '../stream/stream.js'
import { entryId, integer } from './arguments.js'
import { CommandError, type EngineState } from './command.js'
import { dropReferences, isReferenced, type References } from './references.js'

/** What XADD and XTRIM may remove from the head. */
export interface Trim {
  /** Keep at most so many entries … */
  maxLength: number | undefined
  /** … or none below this ID. */
  minId: EntryId | undefined
  approximate: boolean
  /** With `approximate`: remove at most so many, 0 = no limit; undefined = the default. */
  limit: number | undefined
  references: References
}

/**
 * Reads one option of the grammar
 *
 *     MAXLEN|MINID [=|~] threshold [LIMIT count] [KEEPREF|DELREF|ACKED]
 *
 * in any order. Feed it arguments until it answers −1 (not its own), then call `finish`.
 */
export class TrimOptionsParser {
  #maxLength: number | undefined
  #minId: EntryId | undefined
  #approximate = false
  #limit: number | undefined
  #references: References | undefined

  constructor(readonly request: Request) {}

  get given(): boolean {
    return this.#maxLength !== undefined || this.#minId !== undefined
  }

  get references(): References {
    return this.#references ?? 'keep'
  }

  /** Position behind the option that begins at `i`, −1 when none begins there. */
  option(i: number): number {
    const { request } = this
    const more = request.count - 1 - i
    const byLength = request.is(i, 'MAXLEN')
    if (more > 0 && (byLength || request.is(i, 'MINID'))) {
      if (this.given) {
        throw new CommandError('ERR syntax error, MAXLEN and MINID options at the same time are not compatible')
      }
      this.#approximate = false
      let at = i + 1
      if (more >= 2 && request.length(at) === 1) {
        const sign = request.bytes[request.start(at)]
        if (sign === TILDE || sign === EQUALS) {
          this.#approximate = sign === TILDE
          at++
        }
      }
      if (byLength) {
        this.#maxLength = integer(request, at)
        if (this.#maxLength < 0) throw new CommandError('ERR The MAXLEN argument must be >= 0.')
      } else this.#minId = entryId(request, at)
      return at + 1
    }
    if (more > 0 && request.is(i, 'LIMIT')) {
      this.#limit = integer(request, i + 1)
      if (this.#limit < 0) throw new CommandError('ERR The LIMIT argument must be >= 0.')
      return i + 2
    }
    // A second word of this kind is no option: in XADD it stands for the ID.
    const references = referencesOption(request, i)
    if (references === undefined || this.#references !== undefined) return -1
    this.#references = references
    return i + 1
  }

  finish(): Trim | undefined {
    if (!this.given) {
      if (this.#limit) {
        throw new CommandError('ERR syntax error, LIMIT cannot be used without specifying a trimming strategy')
      }
      // As in Redis, a limit of 0 counts as none here and as one below.
      if (this.#limit !== undefined) throw withoutTilde()
      return undefined
    }
    if (this.#limit !== undefined && !this.#approximate) {
      throw withoutTilde()
    }
    return {
      maxLength: this.#maxLength,
      minId: this.#minId,
      approximate: this.#approximate,
      limit: this.#limit,
      references: this.references,
    }
  }
}

function withoutTilde(): CommandError {
  return new CommandError('ERR syntax error, LIMIT cannot be used without the special ~ option')
}

export function referencesOption(request: Request, i: number): References | undefined {
  if (request.is(i, 'KEEPREF')) return 'keep'
  if (request.is(i, 'DELREF')) return 'delete'
  return request.is(i, 'ACKED') ? 'acknowledged' : undefined
}

export interface Trimmed {
  removed: number
  /** Entries were kept although later ones went: what is left cannot be told by a threshold. */
  scattered: EntryId[] | undefined
}

/** Trims; the effect is the caller's to log (see `logTrim`). */
export function applyTrim(engine: EngineState, database: Database, key: string, stream: Stream, trim: Trim): Trimmed {
  const { approximate, limit, references } = trim
  const removedIds: EntryId[] = []
  let kept = false
  let scattered = false
  const onRemove =
    references === 'keep'
      ? undefined
      : (id: EntryId) => {
          if (references === 'acknowledged' && isReferenced(stream, id)) {
            kept = true
            return false
          }
          removedIds.push(id.clone())
          if (kept) scattered = true
          return true
        }
  const options = { approximate, limit, onRemove }
  engine.snapshot?.beforeRemoval(stream, trim.minId ?? Math.max(stream.length - (trim.maxLength as number), 0))
  const removed =
    trim.minId === undefined
      ? stream.trimByLength(trim.maxLength as number, options)
      : stream.trimByMinId(trim.minId, options)
  if (references === 'delete') for (const id of removedIds) dropReferences(engine, database, key, stream, id)
  return { removed, scattered: scattered ? removedIds : undefined }
}

/** Logs what a trim did, exactly: `~` and counts would not replay the same on other node boundaries. */
export function logTrim(engine: EngineState, database: Database, key: string, stream: Stream, trimmed: Trimmed): void {
  const { log } = engine
  if (log === undefined || trimmed.removed === 0) return
  if (trimmed.scattered !== undefined) {
    // XTRIM does not count as deleting: the counters are put back behind the XDEL that says which entries went.
    log.openTransaction()
    log.effect(database.index, 'XDEL', key, ...trimmed.scattered.map(String))
    logCounters(engine, database, key, stream)
    log.closeTransaction()
  } else if (stream.length === 0) log.effect(database.index, 'XTRIM', key, 'MAXLEN', '=', 0)
  else log.effect(database.index, 'XTRIM', key, 'MINID', '=', stream.firstId.toString())
}

/** Logs the stream's counters as they are. */
export function logCounters(engine: EngineState, database: Database, key: string, stream: Stream): void {
  engine.log?.effect(
    database.index,
    'XSETID',
    key,
    stream.lastId.toString(),
    'ENTRIESADDED',
    stream.entriesAdded,
    'MAXDELETEDID',
    stream.maxDeletedId.toString(),
  )
}

const TILDE = 126
const EQUALS = 61
