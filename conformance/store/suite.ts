import { afterAll, beforeAll, describe } from 'vitest'
import { Bench, type StoreUnderTest } from './bench.js'
import { appending } from './cases/append.js'
import { connection } from './cases/connection.js'
import { deliveries } from './cases/deliveries.js'
import { groups } from './cases/groups.js'
import { reading } from './cases/reading.js'
import { schedule } from './cases/schedule.js'
import { trimming } from './cases/trim.js'

/** The contract of runtime/store.ts as tests, judged on every store. Stores declare what they are expected to be. */
export function storeSuite(start: () => Promise<StoreUnderTest>, title: string): void {
  describe(`store conformance: ${title}`, () => {
    const bench = new Bench()
    beforeAll(() => bench.start(start), 60_000)
    afterAll(() => bench.stop(), 60_000)

    appending(bench)
    reading(bench)
    groups(bench)
    deliveries(bench)
    schedule(bench)
    trimming(bench)
    connection(bench)
  })
}
