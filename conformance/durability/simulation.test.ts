import { describe, expect, it } from 'vitest'
import { noFindings, type Sabotage, simulate } from './simulation.js'

const first = Number(process.env.SEED ?? 1)
const seeds = Number(process.env.SEEDS ?? 500)

describe('the engine on a simulated disk', () => {
  it(`E3 E5 E6: after a crash at any moment the data is that of a moment since the last acknowledgement (seeds ${first} to ${first + seeds - 1})`, {
    timeout: 60_000 + seeds * 1000,
  }, async () => {
    const findings = noFindings()
    for (let seed = first; seed < first + seeds; seed++) {
      await simulate(seed, {}, findings)
      if (seeds > 1000 && (seed - first) % 1000 === 999)
        console.log(`${seed - first + 1} seeds`, JSON.stringify(findings))
    }
    console.log(`${seeds} seeds from ${first}:`, JSON.stringify(findings))
    // A simulation in which none of these happened proves nothing.
    const { repaired, ...usual } = findings
    if (seeds >= 100) for (const [name, count] of Object.entries(usual)) expect(count, name).toBeGreaterThan(0)
  })

  it('E3 E6: before every operation of a life, opening and compaction included, a crash is harmless', {
    timeout: 120_000,
  }, async () => {
    const findings = noFindings()
    for (let seed = 1; seed <= 60; seed++) await simulate(seed, { everyStep: true }, findings)
    console.log('60 seeds, every step:', JSON.stringify(findings))
    expect(findings.crashes).toBeGreaterThan(2000)
    expect(findings.rewrites).toBeGreaterThan(0)
  })
})

describe('the simulation', () => {
  const kinds: Sabotage[] = [
    'sync ignored',
    'directory sync ignored',
    'write skipped',
    'failure swallowed',
    'acknowledged early',
    'effect lost',
  ]
  it.each(kinds)('E3 notices a build that breaks its word: %s', { timeout: 60_000 }, async (sabotage) => {
    let noticed: Error | undefined
    for (let seed = 1; seed <= 200 && noticed === undefined; seed++) {
      await simulate(seed, { sabotage }).catch((error: Error) => {
        noticed = error
      })
    }
    expect(noticed?.message).toMatch(/^seed \d+/)
  })
})
