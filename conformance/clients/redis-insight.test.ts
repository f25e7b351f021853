import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RawClient, show, type Value } from '../resp/resp.js'
import { hasRedis, type RunningServer, startRedis } from '../servers.js'
import { type Served, startServed } from './served.js'

let redis: RunningServer
let served: Served

/** What a reply is made of, without the values that differ between any two servers. */
function shape(value: Value): string {
  if ('items' in value) return `${value.type}[${value.items.map(shape).join(' ')}]`
  return value.type === 'null' ? value.text : value.type
}

/** The names in INFO that a tool may read, by section. */
function names(value: Value): string[] {
  const found: string[] = []
  let section = ''
  for (const line of ('text' in value ? value.text : '').split('\r\n')) {
    if (line.startsWith('# ')) section = line.slice(2)
    else if (line !== '') found.push(`${section} ${line.split(':', 1)[0]}`)
  }
  return found
}

async function both(): Promise<RawClient[]> {
  return Promise.all([RawClient.open(redis.port), RawClient.open(served.port)])
}

describe.skipIf(!hasRedis())('beside redis-server 7.0', () => {
  beforeAll(async () => {
    redis = await startRedis()
    served = await startServed()
  })
  afterAll(async () => {
    await served?.stop()
    await redis?.stop()
  })

  /** Commands of RedisInsight's views, in the order in which a user comes by them. */
  const views: [view: string, commands: string[]][] = [
    [
      'connect',
      [
        'CLIENT SETNAME redisinsight',
        'DBSIZE',
        'MODULE LIST',
        'CONFIG GET databases',
        'CLUSTER INFO',
        'SENTINEL MASTERS',
        'COMMAND INFO json.get',
        'CLIENT GETNAME',
      ],
    ],
    [
      'browser',
      [
        'SET text v',
        'HSET hash f v',
        'ZADD scores 1.5 m',
        'SCAN 0 MATCH te* COUNT 500',
        'SCAN 0 COUNT 10000 TYPE hash',
        'TTL text',
        'TYPE text',
        'MEMORY USAGE text SAMPLES 0',
        'MEMORY USAGE nosuch SAMPLES 0',
        'STRLEN text',
        'GETRANGE text 0 5',
        'HLEN hash',
        'HSCAN hash 0 MATCH * COUNT 500',
        'ZCARD scores',
        'ZSCAN scores 0 COUNT 500',
        'ZRANGE scores 0 10 WITHSCORES',
        'EXISTS text',
        'EXPIRE text 1000',
        'PERSIST text',
        'RENAME text renamed',
        'RENAMENX renamed hash',
        'OBJECT ENCODING hash',
        'DEL renamed',
        'UNLINK scores',
      ],
    ],
    [
      'stream',
      [
        'XADD s 1-1 f v g w',
        'XADD s 2-1 f v',
        'XLEN s',
        'XINFO STREAM s',
        'XRANGE s - + COUNT 500',
        'XREVRANGE s + - COUNT 500',
        'XGROUP CREATE s g 0',
        'XREADGROUP GROUP g c STREAMS s >',
        'XINFO GROUPS s',
        'XPENDING s g',
        'XPENDING s g - + 500 c',
        'XCLAIM s g d 0 1-1 JUSTID',
        'XCLAIM s g d 0 1-1 IDLE 5 RETRYCOUNT 2 FORCE',
        'XACK s g 1-1',
        'XGROUP SETID s g 1-1',
        'XGROUP DELCONSUMER s g d',
        'XDEL s 1-1',
        'XGROUP DESTROY s g',
      ],
    ],
    [
      'others',
      [
        'CONFIG SET slowlog-log-slower-than 0',
        'CONFIG GET slowlog-*',
        'SLOWLOG LEN',
        'CONFIG SET slowlog-log-slower-than -1',
        'SLOWLOG RESET',
        'SLOWLOG GET 10',
        'ACL WHOAMI',
        'ACL CAT nosuch',
        'LATENCY LATEST',
        'LATENCY RESET',
        'CLIENT ID',
        'PUBSUB CHANNELS',
        'PUBSUB NUMSUB a b',
        'PUBLISH c m',
        'MEMORY DOCTOR',
        'TIME',
        'LASTSAVE',
        'ROLE',
        'ECHO hi',
      ],
    ],
  ]

  test.each(['2', '3'])('E1 RedisInsight gets replies of the same shape (RESP%s)', async (protocol) => {
    const sides = await both()
    for (const side of sides) await side.pipeline([['FLUSHALL'], ['HELLO', protocol]])
    for (const [view, commands] of views) {
      for (const line of commands) {
        const command = line.split(' ')
        const [theirs, ours] = await Promise.all(sides.map(async (side) => (await side.pipeline([command]))[0]))
        if (theirs.type === '-') expect(show(ours), `${view}: ${line}`).toBe(show(theirs))
        // 7.2 and 8.6 add fields at the end of these, compared by the differential suite.
        else if (line.startsWith('XINFO')) expect(ours.type).toBe(theirs.type)
        else expect(shape(ours), `${view}: ${line}`).toBe(shape(theirs))
      }
    }
    for (const side of sides) side.close()
  })

  test('E1 INFO has the fields that exporters read, CLIENT LIST those of Redis in their order', async () => {
    const sides = await both()
    const [theirs, ours] = await Promise.all(
      sides.map(
        async (side) =>
          (
            await side.pipeline([
              ['SET', 'k', 'v'],
              ['INFO', 'ALL'],
            ])
          )[1],
      ),
    )
    const ourNames = new Set(names(ours))
    // Figures of an allocator, of forks, replicas, threads and snapshots, which are not there to be told.
    const foreign =
      /Memory (allocator_|rss_overhead|used_memory_(startup|lua|scripts|vm|functions)|number_of_|mem_|active_defrag|lazyfreed)|Persistence (rdb_|module_fork|current_|aof_(last_cow|rewrites))|Stats (slave_|total_(reads|writes)_|active_defrag|expire|total_(eviction|active)|current_|evicted|unexpected|dump_|io_threaded|sync_|instantaneous_.*repl|total_net_repl|migrate|reply_buffer)|CPU .*(main_thread)|Server (redis_git|gcc|atomicvar|lru_clock|configured_hz|io_threads|process_super)|Latencystats|Replication/
    expect(
      names(theirs).filter((name) => !ourNames.has(name) && !foreign.test(name) && !name.includes('cmdstat_')),
    ).toEqual([])
    const [theirList, ourList] = await Promise.all(
      sides.map(async (side) => {
        const [list] = await side.pipeline([['CLIENT', 'LIST', 'TYPE', 'NORMAL']])
        return ('text' in list ? list.text : '')
          .split('\n')[0]
          .split(' ')
          .map((field) => field.split('=')[0])
      }),
    )
    // 7.2 adds the last two and `watch`.
    expect(ourList.filter((field) => !['watch', 'lib-name', 'lib-ver'].includes(field))).toEqual(theirList)
    for (const side of sides) side.close()
  })

  test('E1 keyspace notifications of stream commands are those of Redis, in their order', async () => {
    const told: string[][] = []
    for (const { port } of [redis, served]) {
      const [subscriber, client] = await Promise.all([RawClient.open(port), RawClient.open(port)])
      await client.pipeline([['FLUSHALL'], ['CONFIG', 'SET', 'notify-keyspace-events', 'AKE']])
      await subscriber.pipeline([['PSUBSCRIBE', '__key*__:*']])
      const commands = [
        'XADD s 1-1 f v',
        'XADD s MAXLEN 1 2-1 f v',
        'XADD s MAXLEN 5 3-1 f v',
        'XADD nosuch NOMKSTREAM * f v',
        'XADD s 1-1 f v',
        'XTRIM s MAXLEN 1',
        'XTRIM s MAXLEN 1',
        'XADD s 4-1 f v',
        'XGROUP CREATE s g 0',
        'XGROUP CREATE made g $ MKSTREAM',
        'XGROUP SETID s g 0',
        'XGROUP CREATECONSUMER s g c',
        'XGROUP CREATECONSUMER s g c',
        'XREADGROUP GROUP g fresh COUNT 1 STREAMS s >',
        'XREADGROUP GROUP g c STREAMS s >',
        'XACK s g 3-1',
        'XCLAIM s g claimer 0 4-1',
        'XCLAIM s g claimer 0 9-9',
        'XAUTOCLAIM s g auto 0 0',
        'XSETID s 9-9',
        'XDEL s 3-1 8-8',
        'XDEL s 8-8',
        'XGROUP DELCONSUMER s g c',
        'XGROUP DELCONSUMER s g nosuch',
        'XGROUP DESTROY s g',
        'XGROUP DESTROY s g',
        'RENAME s t',
        'COPY t u',
        'MOVE u 1',
        'EXPIRE t 1000',
        'PERSIST t',
        'DEL t',
        'SET str v PX 100000',
        'INCR n',
        'HSET h f v',
        'HDEL h f',
        'ZADD z 1 m',
        'ZADD z INCR 1 m',
        'ZREM z m',
        'MULTI',
        'XADD q 1-1 f v',
        'XDEL q 1-1',
        'EXEC',
        'PUBLISH __keyend__:x end',
      ]
      await client.pipeline(commands.map((line) => line.split(' ')))
      const heard: string[] = []
      for (;;) {
        const [message] = await subscriber.take(1)
        const [, , channel, body] = 'items' in message ? message.items : []
        const line = [channel, body].map((each) => ('text' in each ? each.text : '')).join(' ')
        if (line.startsWith('__keyend__')) break
        heard.push(line)
      }
      told.push(heard)
      subscriber.close()
      client.close()
    }
    expect(told[0].length).toBeGreaterThan(60)
    expect(told[1]).toEqual(told[0])
  })

  test('E1 LATENCY HISTOGRAM counts calls by how long they took, in the form of Redis', async () => {
    for (const side of await both()) {
      await side.pipeline([
        ['CONFIG', 'RESETSTAT'],
        ['HELLO', '3'],
        ...Array.from({ length: 50 }, () => ['XLEN', 'none']),
      ])
      const [value] = await side.pipeline([['LATENCY', 'HISTOGRAM', 'xlen', 'nosuch', 'config']])
      expect(show(value)).toMatch(
        /^%\[\$"xlen" %\[\$"calls" :"50" \$"histogram_usec" %\[(:"(1|2|4|8|16|33|66|131|262|524|1049|\d{4,})" :"\d+" ?)+\]\]( \$"config\|resetstat" .*)?\]$/,
      )
      expect(show(value)).toMatch(/:"50"\]\]/)
      side.close()
    }
  })
})
