import type { Request } from '../resp/request.js'
import type { EntryId } from '../stream/entry-id.js'
import { entryId, parseInteger } from './arguments.js'
import { CommandError, syntaxError } from './command.js'
import type { References } from './references.js'
import { referencesOption } from './trimming.js'

/** Where the IDs of a request stand: from `first` to before `next`. They are read only once there is something to look for. */
export interface IdPositions {
  readonly first: number
  readonly next: number
}

/** [KEEPREF|DELREF|ACKED] IDS numids id [id …], in any order, from argument `from` to the end. The last IDS counts. */
export function referencesAndIds(request: Request, from: number): { references: References; positions: IdPositions } {
  let references: References | undefined
  let positions: IdPositions | undefined
  for (let i = from; i < request.count; i++) {
    if (i + 1 < request.count && request.is(i, 'IDS')) {
      positions = idsOption(request, i)
      i = positions.next - 1
      continue
    }
    const option = referencesOption(request, i)
    if (option === undefined || references !== undefined) throw syntaxError()
    references = option
  }
  if (positions === undefined) throw new CommandError('ERR IDS option is required')
  return { references: references ?? 'keep', positions }
}

/** IDS numids id [id …] at `i`. */
export function idsOption(request: Request, i: number): IdPositions {
  const count = i + 1 < request.count ? parseInteger(request.string(i + 1)) : undefined
  if (count === undefined || count <= 0n) throw new CommandError('ERR Number of IDs must be a positive integer')
  const first = i + 2
  if (count > BigInt(request.count - first)) {
    throw new CommandError('ERR The `numids` parameter must match the number of arguments')
  }
  return { first, next: first + Number(count) }
}

export function idsAt(request: Request, { first, next }: IdPositions): EntryId[] {
  const ids: EntryId[] = []
  for (let at = first; at < next; at++) ids.push(entryId(request, at))
  return ids
}
