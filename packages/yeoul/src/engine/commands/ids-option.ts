import type { Request } from '../resp/request.js'
import type { EntryId } from '../stream/entry-id.js'
import { entryId, parseInteger } from './arguments.js'
import { CommandError, syntaxError } from './command.js'
import type { References } from './references.js'
import { referencesOption } from './trimming.js'

/** [KEEPREF|DELREF|ACKED] IDS numids id [id …], from argument `from` to the end. */
export function referencesAndIds(request: Request, from: number): { references: References; ids: EntryId[] } {
  let references: References | undefined
  for (let i = from; i < request.count; i++) {
    if (request.is(i, 'IDS')) {
      const { ids, next } = idsOption(request, i)
      if (next !== request.count) throw mismatch()
      return { references: references ?? 'keep', ids }
    }
    const option = referencesOption(request, i)
    if (option === undefined || references !== undefined) throw syntaxError()
    references = option
  }
  throw new CommandError('ERR IDS option is required')
}

/** IDS numids id [id …] at `i`; `next` is the argument behind the last ID. */
export function idsOption(request: Request, i: number): { ids: EntryId[]; next: number } {
  const count = i + 1 < request.count ? parseInteger(request.string(i + 1)) : undefined
  if (count === undefined || count <= 0n) throw new CommandError('ERR Number of IDs must be a positive integer')
  const first = i + 2
  if (count > BigInt(request.count - first)) throw mismatch()
  const next = first + Number(count)
  const ids: EntryId[] = []
  for (let at = first; at < next; at++) ids.push(entryId(request, at))
  return { ids, next }
}

function mismatch(): CommandError {
  return new CommandError('ERR The `numids` parameter must match the number of arguments')
}
