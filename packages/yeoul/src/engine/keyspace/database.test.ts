import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Database } from './database.js'

const name = fc.integer({ min: 0, max: 40 }).map((n) => `k${n}`)

describe('database', () => {
  it('a scan gives every key that is there from its beginning to its end, whatever else changes meanwhile', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { minLength: 1 }),
        fc.array(fc.tuple(fc.constantFrom('set', 'delete'), name), { maxLength: 60 }),
        fc.integer({ min: 1, max: 7 }),
        (initial, changes, count) => {
          const database = new Database<string>(0)
          for (const key of initial) database.set(key, 'v')
          const steady = new Set(initial)
          const seen = new Set<string>()
          const pending = [...changes]
          let cursor = 0
          do {
            cursor = database.scan(cursor, count, (key) => void seen.add(key))
            for (const [change, key] of pending.splice(0, 3)) {
              if (change === 'set') database.set(key, 'v')
              else {
                database.delete(key)
                steady.delete(key)
              }
            }
          } while (cursor !== 0)
          for (const key of steady) expect(seen).toContain(key)
        },
      ),
    )
  })

  it('expires by look and by sweep, tells once, and not while frozen', () => {
    const expired: string[] = []
    const database = new Database<string>(0, (_, key) => void expired.push(key))
    for (const key of ['a', 'b', 'c', 'd']) database.set(key, 'v')
    database.expireAt('a', 10)
    database.expireAt('b', 20)
    database.expireAt('b', 30)
    database.expireAt('c', 10)
    database.persist('c')
    database.frozen = true
    expect(database.get('a', 99)).toBe('v')
    expect(database.expireDue(99, 10)).toBe(false)
    database.frozen = false
    expect(database.get('a', 10)).toBeUndefined()
    expect(database.expireDue(25, 10)).toBe(false)
    expect(database.has('b', 25)).toBe(true)
    database.expireDue(30, 10)
    expect(expired).toEqual(['a', 'b'])
    expect([...database.keys].sort()).toEqual(['c', 'd'])
    expect(database.expiring).toBe(0)
  })

  it('counts versions of watched names only, and of both sides of a swap', () => {
    const [one, other] = [new Database<string>(0), new Database<string>(1)]
    const missing = one.watch('missing')
    const present = one.watch('present')
    one.touch('elsewhere')
    expect(one.version('missing', 0)).toBe(missing)
    other.set('present', 'v')
    one.swap(other)
    expect(one.get('present', 0)).toBe('v')
    expect(one.version('present', 0)).not.toBe(present)
    expect(one.version('missing', 0)).toBe(missing)
    one.unwatch('present')
    expect(one.version('present', 0)).toBe(0)
  })
})
