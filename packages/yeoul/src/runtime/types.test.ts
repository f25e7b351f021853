import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type } from 'arktype'
import * as v from 'valibot'
import { expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import type { Message } from './message.js'
import type { Topic } from './topic.js'
import type { Yeoul } from './yeoul.js'

/** Never called: the test below lets the compiler judge it. */
function proofs(yeoul: Yeoul): void {
  const orders = yeoul.topic('orders', {
    schema: z.object({ id: z.string(), total: z.coerce.number<string>(), note: z.string().default('') }),
  })
  expectTypeOf(orders.publish).parameter(0).toEqualTypeOf<{ id: string; total: string; note?: string }>()
  orders.worker('billing', (message) => {
    expectTypeOf(message.value).toEqualTypeOf<{ id: string; total: number; note: string }>()
    // @ts-expect-error a message is not to be written
    message.value = { id: '', total: 1, note: '' }
  })
  orders.batchWorker('db', (messages, context) => {
    expectTypeOf(messages).toEqualTypeOf<Message<{ id: string; total: number; note: string }>[]>()
    context.fail(messages[0], new Error())
    // @ts-expect-error a message of another type is not of this batch
    context.fail({} as Message<number>, new Error())
  })
  // @ts-expect-error a field is missing
  void orders.publish({ id: 'a' })
  // @ts-expect-error an unknown field
  void orders.publish({ id: 'a', total: '1', totl: '2' })
  // @ts-expect-error no such duration
  void orders.publish({ id: 'a', total: '1' }, { delay: '5 minutes' })
  // @ts-expect-error no such option
  orders.worker('billing', () => {}, { concurency: 3 })
  void orders.deadLetters('billing').redrive({
    all: true,
    edit: (value) => {
      expectTypeOf(value).toEqualTypeOf<{ id: string; total: number; note: string } | undefined>()
      return { id: 'a', total: '1' }
    },
  })
  // @ts-expect-error which ones must be said
  void orders.deadLetters('billing').redrive({ rate: 5 })

  const valibot = yeoul.topic('orders', { schema: v.object({ id: v.string(), total: v.optional(v.number(), 0) }) })
  expectTypeOf(valibot.publish).parameter(0).toEqualTypeOf<{ id: string; total?: number | undefined }>()
  valibot.worker('billing', (message) => {
    expectTypeOf(message.value).toEqualTypeOf<{ id: string; total: number }>()
  })
  // @ts-expect-error not a number
  void valibot.publish({ id: 'a', total: 'b' })
  const arktype = yeoul.topic('orders', { schema: type({ id: 'string', total: 'number>0' }), version: 2 })
  expectTypeOf(arktype.publish).parameter(0).toEqualTypeOf<{ id: string; total: number }>()
  arktype.worker('billing', (message) => {
    expectTypeOf(message.value).toEqualTypeOf<{ id: string; total: number }>()
  })
  // @ts-expect-error a field is missing
  void arktype.publish({ id: 'a' })

  expectTypeOf(yeoul.topic('t', { codec: 'text' })).toEqualTypeOf<Topic<string, string>>()
  expectTypeOf(yeoul.topic('t', { codec: 'bytes' })).toEqualTypeOf<Topic<Buffer, Buffer>>()
  expectTypeOf(yeoul.topic('t', { codec: 'fields' })).toEqualTypeOf<Topic<Record<string, string>>>()
  expectTypeOf(yeoul.topic<{ n: number }>('t')).toEqualTypeOf<Topic<{ n: number }>>()
  expectTypeOf(yeoul.topic('t')).toEqualTypeOf<Topic<unknown>>()
  const moments = yeoul.topic('t', {
    codec: {
      name: 'moment',
      encode: (value: Date) => value.toISOString(),
      decode: (data: Buffer) => new Date(data.toString()),
    },
  })
  expectTypeOf(moments).toEqualTypeOf<Topic<Date>>()
  // @ts-expect-error no such codec
  yeoul.topic('t', { codec: 'xml' })
  yeoul.on('dead-letter', (event) => {
    expectTypeOf(event.reason).toEqualTypeOf<'exhausted' | 'undecodable' | 'invalid' | 'unrecoverable'>()
  })
  // @ts-expect-error no such event
  yeoul.on('deadletter', () => {})
}

it('R19 infers published and handled values without a cast, and does not compile what does not fit', () => {
  expectTypeOf(proofs).toBeFunction()
  const file = fileURLToPath(import.meta.url)
  const compiler = createRequire(import.meta.url).resolve('typescript/package.json')
  const options =
    '--noEmit --strict --skipLibCheck --verbatimModuleSyntax --target es2023 --module nodenext --types node'
  const run = spawnSync(
    process.execPath,
    [path.join(path.dirname(compiler), 'bin/tsc'), '--ignoreConfig', ...options.split(' '), file],
    {
      cwd: path.dirname(file),
      encoding: 'utf8',
    },
  )
  expect(run.stdout + run.stderr).toBe('')
  expect(run.status).toBe(0)
})
