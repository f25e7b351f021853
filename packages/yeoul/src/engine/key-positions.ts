import type { Request } from './resp/request.js'

/** Where a command's keys stand: a fixed pattern (`last` negative = counted from the end), or a function of the request. */
export type KeyPositions = { first: number; last: number; step: number } | ((request: Request) => number[]) | null

/** Argument indices of the keys in this request; empty when it has none. */
export function keyPositions(keys: KeyPositions, request: Request): number[] {
  if (keys === null) return []
  if (typeof keys === 'function') return keys(request)
  const last = keys.last < 0 ? request.count + keys.last : keys.last
  const positions: number[] = []
  if (keys.first === 0) return positions
  for (let i = keys.first; i <= last && i < request.count; i += keys.step) positions.push(i)
  return positions
}
