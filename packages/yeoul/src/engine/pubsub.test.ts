import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Engine } from './engine.js'
import { Request } from './resp/request.js'
import type { Session } from './session.js'

let engine: Engine
beforeEach(async () => {
  engine = await Engine.open()
})
afterEach(() => engine.close())

function run(session: Session, ...args: string[]): string {
  engine.execute(session, Request.fromBuffers(args.map((arg) => Buffer.from(arg, 'latin1'))))
  return session.output.take().toString('latin1')
}

describe('E1 subscribing', () => {
  test('confirms each channel with the number of subscriptions', () => {
    const session = engine.createSession()
    expect(run(session, 'SUBSCRIBE', 'a', 'b')).toBe(
      '*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n',
    )
    expect(run(session, 'PSUBSCRIBE', 'n.*')).toBe('*3\r\n$10\r\npsubscribe\r\n$3\r\nn.*\r\n:3\r\n')
    expect(run(session, 'SUBSCRIBE', 'a')).toBe('*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:3\r\n')
    expect(run(session, 'SSUBSCRIBE', 's')).toBe('*3\r\n$10\r\nssubscribe\r\n$1\r\ns\r\n:1\r\n')
    expect(run(session, 'UNSUBSCRIBE', 'a')).toBe('*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n')
    expect(run(session, 'UNSUBSCRIBE')).toBe('*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n')
    expect(run(session, 'UNSUBSCRIBE')).toBe('*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:1\r\n')
    expect(run(session, 'PUNSUBSCRIBE')).toBe('*3\r\n$12\r\npunsubscribe\r\n$3\r\nn.*\r\n:0\r\n')
    expect(run(session, 'SUNSUBSCRIBE')).toBe('*3\r\n$12\r\nsunsubscribe\r\n$1\r\ns\r\n:0\r\n')
  })

  test('in RESP2 restricts what the connection may do, in RESP3 it does not', () => {
    const session = engine.createSession()
    run(session, 'SUBSCRIBE', 'a')
    expect(run(session, 'XLEN', 's')).toBe(
      "-ERR Can't execute 'xlen': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n",
    )
    expect(run(session, 'PING', 'x')).toBe('*2\r\n$4\r\npong\r\n$1\r\nx\r\n')
    expect(run(session, 'RESET')).toBe('+RESET\r\n')
    expect(engine.pubsub.channelCount).toBe(0)
    run(session, 'HELLO', '3')
    expect(run(session, 'SUBSCRIBE', 'a')).toBe('>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n')
    expect(run(session, 'XLEN', 's')).toBe(':0\r\n')
    expect(run(session, 'PING')).toBe('+PONG\r\n')
  })
})

describe('E1 publishing', () => {
  test('reaches channels, then patterns, in the form each session speaks', () => {
    const woken: number[] = []
    const [plain, resp3, pattern] = [1, 2, 3].map(() => engine.createSession((session) => woken.push(session.id)))
    const publisher = engine.createSession()
    run(plain, 'SUBSCRIBE', 'news\xff')
    run(resp3, 'HELLO', '3')
    run(resp3, 'SUBSCRIBE', 'news\xff')
    run(pattern, 'PSUBSCRIBE', 'new?*', 'n*', 'x*')
    expect(run(publisher, 'PUBLISH', 'news\xff', 'a\0\xfe')).toBe(':4\r\n')
    expect(plain.output.take().toString('latin1')).toBe('*3\r\n$7\r\nmessage\r\n$5\r\nnews\xff\r\n$3\r\na\0\xfe\r\n')
    expect(resp3.output.take().toString('latin1')).toBe('>3\r\n$7\r\nmessage\r\n$5\r\nnews\xff\r\n$3\r\na\0\xfe\r\n')
    expect(pattern.output.take().toString('latin1')).toBe(
      '*4\r\n$8\r\npmessage\r\n$5\r\nnew?*\r\n$5\r\nnews\xff\r\n$3\r\na\0\xfe\r\n' +
        '*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$5\r\nnews\xff\r\n$3\r\na\0\xfe\r\n',
    )
    expect(woken).toEqual([plain.id, resp3.id, pattern.id, pattern.id])
  })

  test('to oneself comes behind the reply', () => {
    const session = engine.createSession()
    run(session, 'HELLO', '3')
    run(session, 'SUBSCRIBE', 'c')
    expect(run(session, 'PUBLISH', 'c', 'm')).toBe(':1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n')
  })

  test('to a shard channel reaches its subscribers only', () => {
    const [shard, plain, publisher] = [engine.createSession(), engine.createSession(), engine.createSession()]
    run(shard, 'SSUBSCRIBE', 'c')
    run(plain, 'SUBSCRIBE', 'c')
    expect(run(publisher, 'SPUBLISH', 'c', 'm')).toBe(':1\r\n')
    expect(shard.output.take().toString()).toBe('*3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$1\r\nm\r\n')
    expect(plain.output.length).toBe(0)
  })

  test('PUBSUB tells who listens', () => {
    const [a, b, c] = [engine.createSession(), engine.createSession(), engine.createSession()]
    run(a, 'SUBSCRIBE', 'x', 'y')
    run(b, 'SUBSCRIBE', 'x')
    run(b, 'PSUBSCRIBE', 'p*')
    run(a, 'SSUBSCRIBE', 's')
    expect(run(c, 'PUBSUB', 'CHANNELS')).toBe('*2\r\n$1\r\nx\r\n$1\r\ny\r\n')
    expect(run(c, 'PUBSUB', 'CHANNELS', 'y*')).toBe('*1\r\n$1\r\ny\r\n')
    expect(run(c, 'PUBSUB', 'NUMSUB', 'x', 'z')).toBe('*4\r\n$1\r\nx\r\n:2\r\n$1\r\nz\r\n:0\r\n')
    expect(run(c, 'PUBSUB', 'NUMPAT')).toBe(':1\r\n')
    expect(run(c, 'PUBSUB', 'SHARDCHANNELS')).toBe('*1\r\n$1\r\ns\r\n')
    expect(run(c, 'PUBSUB', 'SHARDNUMSUB', 's')).toBe('*2\r\n$1\r\ns\r\n:1\r\n')
    engine.closeSession(a)
    engine.closeSession(b)
    expect(run(c, 'PUBSUB', 'CHANNELS')).toBe('*0\r\n')
  })
})

describe('subscribers in this process', () => {
  test('get memory of their own, after the publishing code, in order, until they close', async () => {
    const got: string[] = []
    const close = engine.pubsub.subscribe({ channels: ['c'], patterns: ['c*'] }, (channel, payload, pattern) => {
      got.push(`${channel} ${payload.toString()} ${pattern ?? '-'}`)
    })
    const payload = Buffer.from('one')
    expect(engine.pubsub.publish('c', payload)).toBe(2)
    payload.write('XXX')
    const session = engine.createSession()
    expect(run(session, 'PUBLISH', 'cc', 'two')).toBe(':1\r\n')
    expect(got).toEqual([])
    await Promise.resolve()
    expect(got).toEqual(['c one -', 'c one c*', 'cc two c*'])
    engine.pubsub.publish('c', payload)
    close()
    close()
    await Promise.resolve()
    expect(got).toHaveLength(3)
    expect(engine.pubsub.active).toBe(false)
  })

  test('may use the engine from the listener', async () => {
    const session = engine.createSession()
    const heard = new Promise<string>((resolve) => {
      engine.pubsub.subscribe({ channels: ['c'] }, () => resolve(run(engine.createSession(), 'XLEN', 's')))
    })
    run(session, 'PUBLISH', 'c', 'm')
    expect(await heard).toBe(':0\r\n')
  })
})
