/** The steps exist twice: as functions loaded into Redis, and built into the engine. They must stay the same. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { builtInFunctions } from '../../packages/yeoul/src/engine/commands/function-steps.js'
import { pack } from '../../packages/yeoul/src/engine/steps/fields.js'
import { librarySource, steps } from '../../packages/yeoul/src/stores/functions/library.js'
import { packFields } from '../../packages/yeoul/src/stores/functions/packed-fields.js'

test('every step that Redis is given is built in, with the same rights', () => {
  expect(builtInFunctions.map(({ name }) => name).sort()).toEqual(steps.map(({ name }) => name).sort())
  for (const { name, allowOom = false, readOnly = false } of steps) {
    expect(builtInFunctions.find((built) => built.name === name)).toMatchObject({ allowOom, readOnly })
    expect(librarySource).toContain(`function_name = '${name}'`)
  }
})

test('both pack the fields of a scheduled entry alike', () => {
  const field = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  )
  fc.assert(
    fc.property(fc.array(field, { maxLength: 10 }), (fields) => {
      expect(packFields(fields).toString('latin1')).toBe(pack(fields))
    }),
  )
})
