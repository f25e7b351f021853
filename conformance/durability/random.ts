/** Whole numbers from 0 to below − 1; the same seed gives the same ones. */
export type Random = (below: number) => number

export function random(seed: number): Random {
  let state = (seed * 2654435761) >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

export function pick<T>(below: Random, values: readonly T[]): T {
  return values[below(values.length)]
}
