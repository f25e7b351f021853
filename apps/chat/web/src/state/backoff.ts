const FIRST = 500
const LONGEST = 15_000

/**
 * Wait before reconnect attempt `attempt` (0 = the first), in ms: doubling, at most 15 s, each spread over its upper half so that
 * clients cut at one moment do not come back at one moment. `random` is in [0, 1).
 */
export function reconnectDelay(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST, FIRST * 2 ** Math.min(attempt, 10))
  return Math.round(ceiling / 2 + (ceiling / 2) * random)
}
