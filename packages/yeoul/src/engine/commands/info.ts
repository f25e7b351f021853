import os from 'node:os'
import type { CommandStats } from '../stats.js'
import { REDIS_VERSION, YEOUL_VERSION } from '../version.js'
import type { Call, Command, EngineState } from './command.js'

type Facts = Record<string, string | number>
type Section = (engine: EngineState, now: number) => Facts

const server: Section = (engine, now) => {
  const uptime = Math.max(0, Math.floor((now - engine.startedAt) / 1000))
  return {
    redis_version: REDIS_VERSION,
    redis_git_sha1: '00000000',
    redis_git_dirty: 0,
    redis_build_id: '0',
    redis_mode: 'standalone',
    yeoul_version: YEOUL_VERSION,
    os: `${os.type()} ${os.release()} ${os.arch()}`,
    arch_bits: 64,
    monotonic_clock: 'POSIX clock_gettime',
    multiplexing_api: 'libuv',
    process_id: process.pid,
    process_supervised: 'no',
    run_id: engine.runId,
    tcp_port: engine.host?.port ?? 0,
    server_time_usec: now * 1000,
    uptime_in_seconds: uptime,
    uptime_in_days: Math.floor(uptime / 86400),
    hz: 10,
    executable: process.execPath,
    config_file: '',
  }
}

const clients: Section = (engine) => {
  let connected = 0
  let blocked = 0
  let pubsub = 0
  let input = 0
  let output = 0
  let watching = 0
  for (const session of engine.sessions.values()) {
    if (session.parked !== undefined) blocked++
    if (session.watched.length > 0) watching++
    if (session.peer === undefined) continue
    connected++
    if (session.subscribed) pubsub++
    input = Math.max(input, session.peer.queryBytes)
    output = Math.max(output, session.peer.outputBytes)
  }
  return {
    connected_clients: connected,
    cluster_connections: 0,
    maxclients: engine.config.maxclients,
    client_recent_max_input_buffer: input,
    client_recent_max_output_buffer: output,
    blocked_clients: blocked,
    tracking_clients: 0,
    pubsub_clients: pubsub,
    watching_clients: watching,
    clients_in_timeout_table: 0,
  }
}

const memory: Section = (engine) => {
  const { rss, heapUsed, heapTotal, arrayBuffers, external } = process.memoryUsage()
  const used = heapUsed + external
  engine.stats.peakMemory = Math.max(engine.stats.peakMemory, used)
  const dataset = engine.usedMemory()
  return {
    used_memory: used,
    used_memory_human: human(used),
    used_memory_rss: rss,
    used_memory_rss_human: human(rss),
    used_memory_peak: engine.stats.peakMemory,
    used_memory_peak_human: human(engine.stats.peakMemory),
    used_memory_peak_perc: `${((used / engine.stats.peakMemory) * 100).toFixed(2)}%`,
    used_memory_overhead: Math.max(0, used - dataset),
    used_memory_dataset: dataset,
    used_memory_dataset_perc: `${((dataset / used) * 100).toFixed(2)}%`,
    allocator_allocated: used,
    allocator_active: heapTotal + external,
    allocator_resident: rss,
    array_buffers: arrayBuffers,
    total_system_memory: os.totalmem(),
    total_system_memory_human: human(os.totalmem()),
    maxmemory: engine.config.maxmemory,
    maxmemory_human: human(engine.config.maxmemory),
    maxmemory_policy: engine.config.maxmemoryPolicy,
    mem_fragmentation_ratio: (rss / used).toFixed(2),
    mem_allocator: 'v8',
    lazyfree_pending_objects: 0,
  }
}

const persistence: Section = (engine) => {
  const { log } = engine
  const facts: Facts = {
    loading: 0,
    async_loading: 0,
    rdb_changes_since_last_save: 0,
    rdb_bgsave_in_progress: 0,
    rdb_last_save_time: Math.floor(engine.startedAt / 1000),
    rdb_last_bgsave_status: 'ok',
    rdb_last_bgsave_time_sec: -1,
    rdb_current_bgsave_time_sec: -1,
    aof_enabled: log === undefined ? 0 : 1,
    aof_rewrite_in_progress: log?.rewriting ? 1 : 0,
    aof_rewrite_scheduled: 0,
    aof_last_rewrite_time_sec: -1,
    aof_current_rewrite_time_sec: -1,
    aof_last_bgrewrite_status: 'ok',
    aof_last_write_status: log?.failure === undefined ? 'ok' : 'err',
  }
  if (log === undefined) return facts
  return {
    ...facts,
    aof_current_size: log.size,
    aof_base_size: log.baseSize,
    aof_pending_rewrite: 0,
    aof_buffer_length: Math.max(0, log.written - log.durable),
    aof_pending_bio_fsync: log.written > log.synced ? 1 : 0,
    aof_delayed_fsync: 0,
  }
}

const stats: Section = ({ stats, pubsub }) => ({
  total_connections_received: stats.connections,
  total_commands_processed: stats.commands,
  instantaneous_ops_per_sec: stats.rates.commands,
  total_net_input_bytes: stats.netInput,
  total_net_output_bytes: stats.netOutput,
  instantaneous_input_kbps: (stats.rates.input / 1024).toFixed(2),
  instantaneous_output_kbps: (stats.rates.output / 1024).toFixed(2),
  rejected_connections: stats.rejectedConnections,
  sync_full: 0,
  sync_partial_ok: 0,
  sync_partial_err: 0,
  expired_keys: stats.expired,
  evicted_keys: 0,
  evicted_clients: 0,
  keyspace_hits: stats.hits,
  keyspace_misses: stats.misses,
  pubsub_channels: pubsub.channelCount,
  pubsub_patterns: pubsub.patternCount,
  pubsubshard_channels: pubsub.shardChannelCount,
  latest_fork_usec: 0,
  total_forks: 0,
  tracking_total_keys: 0,
  tracking_total_items: 0,
  tracking_total_prefixes: 0,
  total_error_replies: stats.errorReplies,
  client_query_buffer_limit_disconnections: stats.queryBufferDisconnections,
  client_output_buffer_limit_disconnections: stats.outputBufferDisconnections,
})

const replication: Section = () => ({
  role: 'master',
  connected_slaves: 0,
  master_failover_state: 'no-failover',
  master_replid: '0'.repeat(40),
  master_replid2: '0'.repeat(40),
  master_repl_offset: 0,
  second_repl_offset: -1,
  repl_backlog_active: 0,
  repl_backlog_size: 0,
  repl_backlog_first_byte_offset: 0,
  repl_backlog_histlen: 0,
})

const cpu: Section = () => {
  const { user, system } = process.cpuUsage()
  return {
    used_cpu_sys: (system / 1e6).toFixed(6),
    used_cpu_user: (user / 1e6).toFixed(6),
    used_cpu_sys_children: '0.000000',
    used_cpu_user_children: '0.000000',
  }
}

const commandStats: Section = ({ stats }) =>
  Object.fromEntries([...stats.perCommand].map(([name, each]) => [`cmdstat_${name}`, commandLine(each)]))

function commandLine({ calls, microseconds, rejected, failed }: CommandStats): string {
  const perCall = calls === 0 ? 0 : microseconds / calls
  return (
    `calls=${calls},usec=${Math.round(microseconds)},usec_per_call=${perCall.toFixed(2)},` +
    `rejected_calls=${rejected},failed_calls=${failed}`
  )
}

const errorStats: Section = ({ stats }) =>
  Object.fromEntries([...stats.errors].map(([code, count]) => [`errorstat_${code}`, `count=${count}`]))

const keyspace: Section = ({ databases }) =>
  Object.fromEntries(
    databases
      .filter((database) => database.size > 0)
      .map((database) => [
        `db${database.index}`,
        `keys=${database.size},expires=${database.expiring},avg_ttl=0,subexpiry=0`,
      ]),
  )

/** In the order of Redis; the flag says whether plain INFO shows it. */
const SECTIONS: readonly (readonly [name: string, title: string, byDefault: boolean, facts: Section])[] = [
  ['server', 'Server', true, server],
  ['clients', 'Clients', true, clients],
  ['memory', 'Memory', true, memory],
  ['persistence', 'Persistence', true, persistence],
  ['stats', 'Stats', true, stats],
  ['replication', 'Replication', true, replication],
  ['cpu', 'CPU', true, cpu],
  ['modules', 'Modules', true, () => ({})],
  ['commandstats', 'Commandstats', false, commandStats],
  ['errorstats', 'Errorstats', true, errorStats],
  ['cluster', 'Cluster', true, () => ({ cluster_enabled: 0 })],
  ['keyspace', 'Keyspace', true, keyspace],
]

/** INFO [section …]: sections by name, `default`, `all`, `everything`; unknown names show nothing */
function info({ engine, request, reply, now }: Call): void {
  const wanted = new Set<string>()
  for (let i = 1; i < request.count; i++) wanted.add(request.string(i).toLowerCase())
  const all = wanted.has('all') || wanted.has('everything')
  const byDefault = request.count === 1 || wanted.has('default')
  const parts: string[] = []
  for (const [name, title, isDefault, facts] of SECTIONS) {
    if (!all && !(byDefault && isDefault) && !wanted.has(name)) continue
    const lines = Object.entries(facts(engine, now)).map(([key, value]) => `${key}:${value}\r\n`)
    parts.push(`# ${title}\r\n${lines.join('')}`)
  }
  reply.verbatim(parts.join('\r\n'))
}

/** As Redis prints sizes for people: `1.50M`. */
export function human(bytes: number): string {
  for (const [unit, size] of [
    ['T', 1024 ** 4],
    ['G', 1024 ** 3],
    ['M', 1024 ** 2],
    ['K', 1024],
  ] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(2)}${unit}`
  }
  return `${bytes}B`
}

export const infoCommands: readonly Command[] = [
  {
    name: 'info',
    arity: -1,
    flags: ['loading', 'stale'],
    keys: null,
    since: '1.0.0',
    group: 'server',
    summary: 'Returns information and statistics about the server.',
    complexity: 'O(1)',
    categories: ['slow', 'dangerous'],
    handler: info,
  },
]
