import { median } from './measure.mjs'

/**
 * Runs every case once per round (A B C A B C …), so that a change of the machine's mood meets all of them alike, and
 * answers a row per case: the median of each number its runs answered, and all of them.
 *
 * A case is `{ name, run: (round) => Promise<Record<string, number>>, rounds? }`. The order turns by one each round: no
 * case always follows the same one.
 */
export async function interleave(cases, { rounds, log }) {
  const runs = new Map(cases.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < cases.length; i++) {
      const current = cases[(i + round) % cases.length]
      if (round >= (current.rounds ?? rounds)) continue
      const result = await current.run(round)
      runs.get(current.name).push(result)
      log(`  ${round + 1}/${rounds} ${current.name}: ${brief(result)}`)
    }
  }
  return cases.map(({ name, ...rest }) => row(name, runs.get(name), rest.label))
}

export function row(name, results, label = name) {
  const values = {}
  const all = {}
  for (const key of Object.keys(results[0] ?? {})) {
    const numbers = results.map((result) => result[key]).filter((value) => Number.isFinite(value))
    values[key] = median(numbers)
    all[key] = numbers.map(shortened)
  }
  return { name, label, values: Object.fromEntries(Object.entries(values).map(([k, v]) => [k, shortened(v)])), all }
}

/** Four digits are more than a measurement of this kind can mean. */
function shortened(value) {
  return value === undefined ? undefined : Number(value.toPrecision(4))
}

function brief(result) {
  return Object.entries(result)
    .slice(0, 4)
    .map(([key, value]) => `${key} ${shortened(value)}`)
    .join(', ')
}
