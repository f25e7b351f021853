import { expect, test } from 'vitest'
import { commands } from '../packages/yeoul/src/engine/commands/index.js'
import { compatibilityPage, OUT } from './compatibility.js'

test('E1 docs/compatibility.md says what the command table offers; vitest -u writes it again', async () => {
  await expect(await compatibilityPage()).toMatchFileSnapshot('../docs/compatibility.md')
})

test('what is listed as unknown is unknown', () => {
  const known = new Set(commands.map((command) => command.name))
  const listed = OUT.flatMap(({ commands: names }) => names.toLowerCase().split(' '))
  expect(listed.filter((name) => known.has(name))).toEqual([])
  expect(new Set(listed).size).toBe(listed.length)
})
