import { describe, expect, test } from 'vitest'
import { Request } from '../../packages/yeoul/src/engine/resp/request.js'
import { freePort, installed } from '../servers.js'
import { type Served, start, startServed } from './served.js'

function fill({ engine }: Served): void {
  const session = engine.createSession()
  for (const command of [
    ['XADD', 'orders', '1-1', 'f', 'v'],
    ['XADD', 'orders', '1-2', 'f', 'v'],
    ['XGROUP', 'CREATE', 'orders', 'billing', '0'],
    ['XREADGROUP', 'GROUP', 'billing', 'worker-1', 'COUNT', '1', 'STREAMS', 'orders', '>'],
    ['SET', 'k', 'v'],
  ]) {
    engine.execute(session, Request.of(...command))
  }
  engine.closeSession(session)
}

async function scrape(port: number): Promise<string> {
  const deadline = Date.now() + 10_000
  for (;;) {
    try {
      return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

describe.skipIf(!installed('prometheus-redis-exporter'))('redis_exporter', () => {
  test('E1 reads INFO, keys, streams and groups', async () => {
    const served = await startServed()
    fill(served)
    const port = await freePort()
    const exporter = start('prometheus-redis-exporter', [
      '-redis.addr',
      `redis://127.0.0.1:${served.port}`,
      '-web.listen-address',
      `127.0.0.1:${port}`,
      '-check-streams',
      'orders',
      '-check-keys',
      'k',
      '-include-config-metrics',
      '-log-format',
      'json',
    ])
    try {
      const metrics = await scrape(port)
      for (const line of [
        /^redis_up 1$/m,
        /^redis_exporter_last_scrape_error\{err=""\} 0$/m,
        /^redis_instance_info\{.*redis_version="8\.8\.0".*role="master".*\} 1$/m,
        /^redis_connected_clients 1$/m,
        /^redis_blocked_clients 0$/m,
        /^redis_aof_enabled 1$/m,
        /^redis_loading_dump_file 0$/m,
        /^redis_memory_used_bytes \S+$/m,
        /^redis_commands_total\{cmd="xadd"\} 2$/m,
        /^redis_db_keys\{db="db0"\} 2$/m,
        /^redis_stream_length\{db="db0",stream="orders"\} 2$/m,
        /^redis_stream_groups\{db="db0",stream="orders"\} 1$/m,
        /^redis_stream_group_messages_pending\{db="db0",group="billing",stream="orders"\} 1$/m,
        /^redis_stream_group_consumer_messages_pending\{consumer="worker-1",db="db0",group="billing",stream="orders"\} 1$/m,
        /^redis_key_size\{db="db0",key="k"\} 1$/m,
        /^redis_config_maxclients 10000$/m,
        /^redis_slowlog_length \d+$/m,
      ]) {
        expect(metrics).toMatch(line)
      }
    } finally {
      await exporter.stop()
      await served.stop()
    }
  })
})
