/**
 * Hints for clients and proxies, as COMMAND INFO gives them: what of a reply may differ between two equal servers, and
 * how a proxy spreads a command over several and joins the answers.
 */
const TIPS: readonly (readonly [tips: readonly string[], commands: readonly string[]])[] = [
  [
    ['nondeterministic_output'],
    [
      'xadd',
      'xtrim',
      'xpending',
      'xclaim',
      'xautoclaim',
      'xinfo|consumers',
      'ttl',
      'pttl',
      'object|encoding',
      'object|refcount',
      'object|idletime',
      'object|freq',
      'hscan',
      'hrandfield',
      'zscan',
      'client|info',
      'client|list',
      'time',
      'lastsave',
    ],
  ],
  [
    ['request_policy:multi_shard', 'response_policy:agg_sum'],
    ['del', 'unlink', 'exists', 'touch'],
  ],
  [['request_policy:all_shards', 'nondeterministic_output_order'], ['keys']],
  [['nondeterministic_output', 'request_policy:special'], ['scan']],
  [['request_policy:all_shards', 'nondeterministic_output'], ['randomkey']],
  [['request_policy:all_shards', 'response_policy:agg_sum'], ['dbsize']],
  [
    ['request_policy:all_shards', 'response_policy:all_succeeded'],
    [
      'flushdb',
      'flushall',
      'function|load',
      'function|restore',
      'function|delete',
      'function|flush',
      'ping',
      'memory|purge',
    ],
  ],
  [['request_policy:multi_shard'], ['mget']],
  [['request_policy:multi_shard', 'response_policy:all_succeeded'], ['mset']],
  [['request_policy:multi_shard', 'response_policy:agg_min'], ['msetnx']],
  [
    ['nondeterministic_output_order'],
    [
      'hgetall',
      'hkeys',
      'hvals',
      'function|list',
      'command',
      'command|docs',
      'command|info',
      'command|list',
      'module|list',
    ],
  ],
  [
    ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
    ['function|stats', 'info', 'memory|stats', 'memory|doctor', 'memory|malloc-stats'],
  ],
  [['request_policy:all_shards', 'response_policy:one_succeeded'], ['function|kill']],
  [
    ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    ['config|set', 'latency|reset', 'slowlog|reset', 'script|flush', 'script|load'],
  ],
  [
    ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'],
    ['latency|doctor', 'latency|histogram', 'latency|history', 'latency|latest'],
  ],
  [['request_policy:all_nodes', 'nondeterministic_output'], ['slowlog|get']],
  [['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'], ['slowlog|len']],
  [['request_policy:all_shards', 'response_policy:agg_min'], ['wait']],
  [['request_policy:all_shards', 'response_policy:agg_logical_and'], ['script|exists']],
]

const byName = new Map(TIPS.flatMap(([tips, commands]) => commands.map((name) => [name, tips] as const)))

export function tipsOf(fullName: string): readonly string[] {
  return byName.get(fullName) ?? []
}
