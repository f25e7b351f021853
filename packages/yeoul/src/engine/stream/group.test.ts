import { describe, expect, it } from 'vitest'
import { EntryId } from './entry-id.js'
import { Group } from './group.js'
import { Stream } from './stream.js'

describe('Group', () => {
  it('creates a consumer once', () => {
    const group = new Group('g')
    const alice = group.consumer('alice', 100)
    expect(alice).toMatchObject({ name: 'alice', seenTime: 100, activeTime: -1, pending: 0 })
    expect(group.consumer('alice', 200)).toBe(alice)
    expect(alice.seenTime).toBe(100)
  })

  it('E1 drops what a removed consumer had pending, and nothing else', () => {
    const group = new Group('g')
    const alice = group.consumer('alice', 1)
    const bob = group.consumer('bob', 1)
    for (let i = 1; i <= 10; i++) group.pending.set(EntryId.of(i), i % 3 ? alice : bob, 5, 1)
    expect(group.removeConsumer('alice')).toBe(7)
    expect(group.removeConsumer('alice')).toBe(0)
    expect(group.pending.size).toBe(3)
    expect(bob.pending).toBe(3)
    const carol = group.consumer('carol', 1)
    expect(carol.index).toBe(alice.index)
    const seen: unknown[] = []
    group.pending.walk(EntryId.zero(), (entry) => {
      seen.push(entry.consumer?.name)
      return 'next'
    })
    expect(seen).toEqual(['bob', 'bob', 'bob'])
    expect(group.pending.set(EntryId.of(20), carol, 6, 1)).toBe(true)
    expect(carol.pending).toBe(1)
  })

  it('never gives two consumers one index', () => {
    const group = new Group('g')
    for (const name of ['a', 'b', 'c', 'd']) group.consumer(name, 1)
    for (const name of ['b', 'a']) group.removeConsumer(name)
    for (const name of ['e', 'f', 'g']) group.consumer(name, 1)
    const indexes = [...group.consumers.values()].map((consumer) => consumer.index)
    expect(new Set(indexes).size).toBe(5)
  })

  it('E1 lists groups and consumers in byte order of the name', () => {
    const stream = new Stream({ maxEntries: 100, maxBytes: 4096 })
    for (const name of ['b', '\xff', 'a', 'B', 'ab']) stream.groups.set(name, new Group(name))
    expect(stream.sortedGroups().map((group) => group.name)).toEqual(['B', 'a', 'ab', 'b', '\xff'])
    const group = new Group('g')
    for (const name of ['z', 'Z', '\x00']) group.consumer(name, 1)
    expect(group.sortedConsumers().map((consumer) => consumer.name)).toEqual(['\x00', 'Z', 'z'])
  })

  it('keeps an ID of its own', () => {
    const id = EntryId.of(5)
    const group = new Group('g', id)
    id.increment()
    expect(String(group.lastId)).toBe('5-0')
  })
})
