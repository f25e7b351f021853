import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { Request } from '../../packages/yeoul/src/engine/resp/request.js'
import { listen } from '../../packages/yeoul/src/server/server.js'
import { decode, RawClient, show, type Value } from '../resp/resp.js'
import { hasRedis, type RunningServer, startRedis } from '../servers.js'

/** A failure prints its seed: RIGHTS_SEED replays it. */
const seed = process.env.RIGHTS_SEED === undefined ? undefined : Number(process.env.RIGHTS_SEED)

const rule = fc.constantFrom(
  ...['+@all', '-@all', '+@stream', '-@stream', '+@read', '-@write', '+@write', '-@dangerous', '+@pubsub', '+@fast'],
  ...['+xadd', '-xadd', '+xinfo', '-xinfo|groups', '+xinfo|stream', '+config', '-config|set', '+set', '-get', '+del'],
  ...['~s*', '~t', '%R~s*', '%W~s*', '%RW~t', '%R~t', '%W~t', '~*', 'allkeys', 'resetkeys', '%R~*', '%W~*'],
  ...['&c*', '&news', '&*', 'allchannels', 'resetchannels', 'nocommands', 'allcommands'],
)
const owner = fc.constantFrom(
  ...['on', 'off', 'nopass', '>pw', '<pw', '>other', 'resetpass', 'clearselectors', 'reset'],
)
const selector = fc
  .tuple(fc.array(rule, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([rules, apart]) => (apart ? `(${rules.join(' ')})`.split(' ') : [`(${rules.join(' ')})`]))
const odd = fc.constantFrom(
  ...['+nosuch', '-@nosuch', '%X~a', '%~a', '(on)', '(+get', '+get)', '()', '(+nosuch ~a)', '', '+', '+config|nosuch'],
  ...['#abc', '!abc', '<unknown', '+xinfo|stream|x', '((+get))'],
)
const rules = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: rule.map((each) => [each]) },
    { weight: 2, arbitrary: owner.map((each) => [each]) },
    { weight: 2, arbitrary: selector },
    { weight: 1, arbitrary: odd.map((each) => [each]) },
  ),
  { minLength: 1, maxLength: 7 },
)

const requests = [
  'XADD s 1-1 f v',
  'XADD other 1-1 f v',
  'XLEN s1',
  'XREADGROUP GROUP g c STREAMS s t > >',
  'XREAD STREAMS t 0',
  'XAUTOCLAIM s g c 0 0',
  'XCLAIM s g c 0 1-1',
  'XPENDING s g',
  'XDEL t 1-1',
  'XINFO STREAM s',
  'XINFO GROUPS s',
  'XGROUP CREATE s g 0',
  'GET t',
  'SET t v',
  'SET t v GET',
  'GETDEL s',
  'INCR t',
  'MGET s t u',
  'MSET s 1 t 2',
  'DEL s other',
  'EXISTS s',
  'COPY s t',
  'RENAME s t',
  'ZRANGESTORE t s 0 -1',
  'ZADD s 1 m',
  'HGETALL s',
  'FCALL f 1 s',
  'CONFIG GET x',
  'CONFIG SET maxmemory 0',
  'FLUSHALL',
  'PING',
  'PUBLISH c1 m',
  'PUBLISH other m',
  'SUBSCRIBE news c1',
  'PSUBSCRIBE c*',
  'PSUBSCRIBE c?',
  'SSUBSCRIBE news',
  'SPUBLISH c1 m',
].map((line) => line.split(' '))

/** 7.2 names the user in these. */
function outcome(value: Value): string {
  return show(value).replace(/User u|This user/, 'user')
}

/** Fields of ACL GETUSER; the order of command rules is told otherwise since 7.2. */
function described(value: Value): string {
  if (!('items' in value)) return show(value)
  const parts: string[] = []
  for (let i = 0; i < value.items.length; i += 2) {
    const [name, field] = [value.items[i], value.items[i + 1]]
    const label = 'text' in name ? name.text : ''
    if (label === 'commands') continue
    if (label === 'flags' || label === 'passwords') {
      const kept = 'items' in field ? field.items.map(show).filter((each) => !each.includes('sanitize')) : []
      parts.push(`${label} ${kept.sort()}`)
    } else if (label === 'selectors') {
      parts.push(`${label} ${'items' in field ? field.items.map(described).join(' + ') : show(field)}`)
    } else parts.push(`${label} ${show(field)}`)
  }
  return parts.join(', ')
}

describe.skipIf(!hasRedis())('E9 rights beside redis-server 7.0', () => {
  let redis: RunningServer
  let client: RawClient
  beforeAll(async () => {
    redis = await startRedis()
    client = await RawClient.open(redis.port)
  })
  afterAll(async () => {
    client?.close()
    await redis?.stop()
  })

  test('users made of random rules may do the same', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(rules, async (given) => {
        const engine = await Engine.open()
        const session = engine.createSession()
        const ask = (command: readonly string[]): Value => {
          engine.execute(session, Request.of(...command))
          return decode(session.output.take(), 0)!.value
        }
        try {
          await client.pipeline([['ACL', 'DELUSER', 'u']])
          // Rule by rule, so that one that is refused does not undo the others.
          for (const words of given) {
            const command = ['ACL', 'SETUSER', 'u', ...words]
            const [theirs] = await client.pipeline([command])
            expect(show(ask(command)), command.join(' ')).toBe(show(theirs))
          }
          const commands = requests.map((request) => ['ACL', 'DRYRUN', 'u', ...request])
          const theirs = await client.pipeline([['ACL', 'GETUSER', 'u'], ...commands])
          expect(described(ask(['ACL', 'GETUSER', 'u']))).toBe(described(theirs[0]))
          for (const [i, command] of commands.entries()) {
            expect(`${command.join(' ')} → ${outcome(ask(command))}`).toBe(
              `${command.join(' ')} → ${outcome(theirs[i + 1])}`,
            )
          }
        } finally {
          await engine.close()
        }
      }),
      { numRuns: Number(process.env.RIGHTS_RUNS ?? 300), seed },
    )
  })

  test('rights taken away between MULTI and EXEC hold, and are on record', async () => {
    const engine = await Engine.open()
    const server = await listen(engine, { port: 0 })
    try {
      const told: string[][] = []
      for (const port of [redis.port, server.port]) {
        const [admin, kim] = await Promise.all([RawClient.open(port), RawClient.open(port)])
        await admin.pipeline([
          ['ACL', 'LOG', 'RESET'],
          ['ACL', 'SETUSER', 'kim', 'reset', 'on', '>pw', '~s*', '&c', '+@all'],
        ])
        await kim.pipeline([
          ['AUTH', 'kim', 'pw'],
          ['MULTI'],
          ['XADD', 's1', '1-1', 'f', 'v'],
          ['SET', 's2', 'v'],
          ['PUBLISH', 'c', 'm'],
        ])
        await admin.pipeline([['ACL', 'SETUSER', 'kim', '-set', 'resetkeys', '~t*', 'resetchannels']])
        const [outcome] = await kim.pipeline([['EXEC']])
        const [log] = await admin.pipeline([['ACL', 'LOG']])
        const entries = 'items' in log ? log.items : []
        const shown = entries.map((entry) => ('items' in entry ? entry.items.slice(1, 10).map(show).join(' ') : ''))
        told.push([show(outcome), ...shown])
        admin.close()
        kim.close()
      }
      expect(told[1]).toEqual(told[0])
      expect(told[0]).toHaveLength(4)
    } finally {
      await server.close()
      await engine.close()
    }
  })
})
