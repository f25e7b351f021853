import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { connect } from '../index.js'
import type { Yeoul } from '../runtime/yeoul.js'
import { verifyCommand } from './verify.js'

let yeoul: Yeoul
let printed: string

beforeEach(async () => {
  yeoul = await connect('memory:')
  printed = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
})

afterEach(async () => {
  vi.restoreAllMocks()
  await yeoul.close()
})

it('R1 prints the counts of every group, and nothing is wrong', async () => {
  const orders = yeoul.topic('orders')
  await orders.ensureGroup('billing')
  const { id } = await orders.publish({ n: 1 })
  await verifyCommand(yeoul, 'orders', [id], {})
  expect(printed).toMatch(/orders: 1 entries of 1 ever added, 0 trimmed, 0 removed by others/)
  expect(printed).toMatch(/billing\s+1\s+0\s+0\s+0\s+0\s+0\s+0/)
  expect(printed).toContain(`billing  ${id}  waiting`)
})

it('R1 names the missing one and fails; --json is the whole account, --all a line a message', async () => {
  const orders = yeoul.topic('orders')
  await orders.ensureGroup('billing')
  const [lost, kept] = await orders.publishMany([{ n: 1 }, { n: 2 }])
  await yeoul.store.readGroup(['orders'], 'billing', 'c1', { count: 2 })
  await yeoul.store.remove('orders', [lost.id])
  const failing = (flags: object) => expect(verifyCommand(yeoul, 'orders', [], flags)).rejects
  await failing({}).toThrow('1 message is missing.')
  expect(printed).toContain(`billing  ${lost.id}  missing  by c1  attempt 1`)
  printed = ''
  await failing({ json: true }).toMatchObject({ status: 1 })
  expect(JSON.parse(printed).groups[0].missing).toEqual([{ id: lost.id, state: 'missing', consumer: 'c1', attempt: 1 }])
  printed = ''
  await failing({ all: true, json: true, group: 'billing' }).toThrow()
  const lines = printed.trim().split('\n')
  expect(
    lines
      .slice(0, 2)
      .map((line) => JSON.parse(line).id)
      .sort(),
  ).toEqual([lost.id, kept.id].sort())
})
