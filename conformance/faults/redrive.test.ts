/** R5: a redrive killed in the middle neither loses nor doubles a letter; what was discarded comes back. */
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { connect } from '../../packages/yeoul/src/index.js'
import { Running } from '../processes.js'
import { places } from '../runtime/places.js'
import { hasRedis, hasYeoul, startRedis } from '../servers.js'

const LETTERS = Number(process.env.YEOUL_LETTERS ?? 20_000)
const script = fileURLToPath(new URL('redrive-process.mjs', import.meta.url))

describe('dead letters in trouble', () => {
  it.runIf(hasRedis() && hasYeoul())(
    'R5 a redrive killed with -9 is resumed by calling again',
    { timeout: 600_000 },
    async () => {
      const server = await startRedis()
      const yeoul = await connect(server.url)
      yeoul.on('warning', () => {})
      let child: Running | undefined
      try {
        const letters = yeoul.topic('jobs').deadLetters('g')
        for (let from = 0; from < LETTERS; from += 1_000) {
          const batch = Array.from({ length: Math.min(1_000, LETTERS - from) }, (_, i) =>
            yeoul.store.append(letters.stream, ['data', String(from + i), '_origin', `1-${from + i}`, '_group', 'g']),
          )
          await Promise.all(batch)
        }
        child = Running.start(process.execPath, [script, server.url, 'jobs'])
        await child.printed(/redriven [1-9]\d{3,} of/)
        await child.end('SIGKILL')
        const left = await letters.count()
        expect(left).toBeGreaterThan(0)
        expect(left).toBeLessThan(LETTERS)
        const told: number[] = []
        const before = process.memoryUsage().heapUsed
        let most = 0
        await letters.redrive({
          all: true,
          onProgress: ({ redriven }) => {
            told.push(redriven)
            most = Math.max(most, process.memoryUsage().heapUsed - before)
          },
        })
        expect(told.at(-1)).toBe(left)
        expect(await letters.count()).toBe(0)
        const origins = new Set<string>()
        let copies = 0
        for await (const message of yeoul.topic('jobs').read({ redelivered: true })) {
          copies++
          origins.add(message.id)
        }
        expect([copies, origins.size]).toEqual([LETTERS, LETTERS])
        expect(most).toBeLessThan(200_000_000)
      } finally {
        await child?.end('SIGKILL')
        await yeoul.close()
        await server.stop()
      }
    },
  )

  it.each(places.filter(({ available }) => available))(
    'R5 discarded letters can be restored: $name',
    async ({ start }) => {
      const place = await start()
      const yeoul = await connect(place.target)
      yeoul.on('warning', () => {})
      try {
        const letters = yeoul.topic<string>('jobs').deadLetters('g')
        const fields = (n: number) => [
          'data',
          `"v${n}"`,
          '_origin',
          `1-${n}`,
          '_group',
          'g',
          '_reason',
          'unrecoverable',
        ]
        const ids: string[] = []
        for (let n = 0; n < 5; n++) ids.push((await yeoul.store.append(letters.stream, fields(n))).id)
        expect(await letters.discard([ids[1], ids[3], '9-9'])).toBe(2)
        expect(await letters.count()).toBe(3)
        const discarded: string[] = []
        for await (const letter of letters.discarded()) {
          expect(letter).toMatchObject({ reason: 'unrecoverable', group: 'g' })
          discarded.push(letter.id)
        }
        expect(discarded).toHaveLength(2)
        const audit = await yeoul.verify('jobs', { group: 'g', ids: ['1-1'] })
        expect(audit.groups[0].counts.dead).toBe(5)
        expect(audit.groups[0].asked).toMatchObject([{ id: '1-1', state: 'dead' }])
        expect(await letters.restore(discarded)).toBe(2)
        const values: unknown[] = []
        for await (const letter of letters.list()) values.push(letter.value)
        expect(values.sort()).toEqual(['v0', 'v1', 'v2', 'v3', 'v4'])
      } finally {
        await yeoul.close()
        await place.end()
      }
    },
  )
})
