import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { Request } from '../../packages/yeoul/src/engine/resp/request.js'
import { freePort, installed } from '../servers.js'
import { start, startServed } from './served.js'

interface Sample {
  metric: Record<string, string>
  value: [number, string]
}

/** What Prometheus' own API answers, once it has scraped. */
async function query(port: number, expression: string): Promise<Sample[]> {
  const deadline = Date.now() + 20_000
  for (;;) {
    try {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`
      const { status, data } = (await (await fetch(url)).json()) as { status: string; data: { result: Sample[] } }
      if (status === 'success' && data.result.length > 0) return data.result
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
    if (Date.now() > deadline) throw new Error(`Prometheus has nothing for ${expression}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

describe.skipIf(!installed('prometheus') || !installed('prometheus-redis-exporter'))('Prometheus', () => {
  test('E1 has the stream metrics that redis_exporter reads', async () => {
    const served = await startServed()
    const session = served.engine.createSession()
    for (const command of [
      ['XADD', 'orders', '1-1', 'f', 'v'],
      ['XADD', 'orders', '2-1', 'f', 'v'],
      ['XADD', 'orders', '3-1', 'f', 'v'],
      ['XGROUP', 'CREATE', 'orders', 'billing', '0'],
      ['XREADGROUP', 'GROUP', 'billing', 'worker-1', 'COUNT', '2', 'STREAMS', 'orders', '>'],
    ]) {
      served.engine.execute(session, Request.of(...command))
    }
    served.engine.closeSession(session)
    const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-prometheus-'))
    const [exporterPort, port] = [await freePort(), await freePort()]
    const configuration = path.join(directory, 'prometheus.yml')
    await writeFile(
      configuration,
      `global: { scrape_interval: 1s }\nscrape_configs:\n  - job_name: redis\n    static_configs:\n      - targets: ['127.0.0.1:${exporterPort}']\n`,
    )
    // biome-ignore format: one option a pair
    const exporter = start('prometheus-redis-exporter', [
      '-redis.addr', `redis://127.0.0.1:${served.port}`,
      '-web.listen-address', `127.0.0.1:${exporterPort}`,
      '-check-streams', 'orders',
    ])
    // biome-ignore format: one option a pair
    const prometheus = start('prometheus', [
      '--config.file', configuration,
      '--storage.tsdb.path', path.join(directory, 'data'),
      '--web.listen-address', `127.0.0.1:${port}`,
      '--log.level', 'error',
    ])
    try {
      const value = async (expression: string) => (await query(port, expression)).map((sample) => sample.value[1])
      expect(await value('redis_up')).toEqual(['1'])
      expect(await value('redis_stream_length{stream="orders"}')).toEqual(['3'])
      expect(await value('redis_stream_groups{stream="orders"}')).toEqual(['1'])
      expect(await value('redis_stream_last_generated_id{stream="orders"}')).toEqual(['3'])
      expect(await value('redis_stream_group_consumers{group="billing"}')).toEqual(['1'])
      expect(await value('redis_stream_group_messages_pending{group="billing"}')).toEqual(['2'])
      expect(await value('redis_stream_group_last_delivered_id{group="billing"}')).toEqual(['2'])
      expect(await value('redis_stream_group_consumer_messages_pending{consumer="worker-1"}')).toEqual(['2'])
      expect(await value('redis_stream_group_consumer_idle_seconds{consumer="worker-1"} >= 0')).toHaveLength(1)
      expect(await value('redis_commands_total{cmd="xadd"}')).toEqual(['3'])
      expect(await value('redis_db_keys{db="db0"}')).toEqual(['1'])
    } finally {
      await prometheus.stop()
      await exporter.stop()
      await served.stop()
      await rm(directory, { recursive: true, force: true })
    }
  })
})
