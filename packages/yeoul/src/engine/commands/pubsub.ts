import type { Request } from '../resp/request.js'
import type { Session } from '../session.js'
import { type Call, type Command, CommandError } from './command.js'
import { help } from './help.js'

const ALLOWED = new Set([
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
  'ping',
  'quit',
  'reset',
])

/** The error for a RESP2 subscriber that sends anything but these words; undefined when the command may run. */
export function refuseSubscriber(session: Session, command: Command): string | undefined {
  if (!session.subscribed || session.output.protocol === 3 || ALLOWED.has(command.name)) return undefined
  return (
    `ERR Can't execute '${command.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed ` +
    'in this context'
  )
}

function confirm(call: Call, kind: string, channel: string | undefined, count: number): void {
  const { reply } = call
  reply.push(3)
  reply.bulk(kind)
  if (channel === undefined) reply.nil()
  else reply.bulk(channel)
  reply.integer(count)
}

/** One confirmation a channel, each with the number of subscriptions that the session then holds. */
function subscribing(
  kind: string,
  subscribe: (call: Call, channel: string) => void,
  count: (session: Session) => number,
): (call: Call) => void {
  return (call) => {
    for (let i = 1; i < call.request.count; i++) {
      const channel = call.request.string(i)
      subscribe(call, channel)
      confirm(call, kind, channel, count(call.session))
    }
  }
}

/** Without arguments: all of its kind; with none at all, one confirmation without a channel. */
function unsubscribing(
  kind: string,
  held: (session: Session) => ReadonlySet<string>,
  unsubscribe: (call: Call, channel: string) => void,
  count: (session: Session) => number,
): (call: Call) => void {
  return (call) => {
    const { request, session } = call
    const channels: string[] = []
    if (request.count === 1) channels.push(...held(session))
    else for (let i = 1; i < request.count; i++) channels.push(request.string(i))
    if (channels.length === 0) confirm(call, kind, undefined, count(session))
    for (const channel of channels) {
      unsubscribe(call, channel)
      confirm(call, kind, channel, count(session))
    }
  }
}

const plainCount = (session: Session): number => session.channels.size + session.patterns.size
const shardCount = (session: Session): number => session.shardChannels.size

const base = { keys: null, group: 'pubsub', categories: ['pubsub', 'slow'] } as const
const subscriberFlags = ['pubsub', 'noscript', 'loading', 'stale'] as const

function names({ reply }: Call, list: readonly string[]): void {
  reply.array(list.length)
  for (const name of list) reply.bulk(name)
}

function counts({ request, reply }: Call, count: (channel: string) => number): void {
  // Flat in RESP3 as well.
  reply.array((request.count - 2) * 2)
  for (let i = 2; i < request.count; i++) {
    const channel = request.string(i)
    reply.bulk(channel)
    reply.integer(count(channel))
  }
}

const introspection = {
  ...base,
  flags: ['pubsub', 'loading', 'stale'],
  categories: ['pubsub', 'slow'],
} as const

export const pubsubCommands: readonly Command[] = [
  {
    ...base,
    name: 'subscribe',
    arity: -2,
    flags: subscriberFlags,
    since: '2.0.0',
    summary: 'Listens for messages published to channels.',
    complexity: 'O(N) where N is the number of channels to subscribe to.',
    handler: subscribing(
      'subscribe',
      ({ engine, session }, channel) => engine.pubsub.subscribeChannel(session, channel),
      plainCount,
    ),
  },
  {
    ...base,
    name: 'unsubscribe',
    arity: -1,
    flags: subscriberFlags,
    since: '2.0.0',
    summary: 'Stops listening to messages posted to channels.',
    complexity: 'O(N) where N is the number of channels to unsubscribe.',
    handler: unsubscribing(
      'unsubscribe',
      (session) => session.channels,
      ({ engine, session }, channel) => engine.pubsub.unsubscribeChannel(session, channel),
      plainCount,
    ),
  },
  {
    ...base,
    name: 'psubscribe',
    arity: -2,
    flags: subscriberFlags,
    since: '2.0.0',
    summary: 'Listens for messages published to channels that match one or more patterns.',
    complexity: 'O(N) where N is the number of patterns to subscribe to.',
    handler: subscribing(
      'psubscribe',
      ({ engine, session }, pattern) => engine.pubsub.subscribePattern(session, pattern),
      plainCount,
    ),
  },
  {
    ...base,
    name: 'punsubscribe',
    arity: -1,
    flags: subscriberFlags,
    since: '2.0.0',
    summary: 'Stops listening to messages published to channels that match one or more patterns.',
    complexity: 'O(N) where N is the number of patterns to unsubscribe.',
    handler: unsubscribing(
      'punsubscribe',
      (session) => session.patterns,
      ({ engine, session }, pattern) => engine.pubsub.unsubscribePattern(session, pattern),
      plainCount,
    ),
  },
  {
    ...base,
    name: 'ssubscribe',
    arity: -2,
    flags: subscriberFlags,
    since: '7.0.0',
    summary: 'Listens for messages published to shard channels.',
    complexity: 'O(N) where N is the number of shard channels to subscribe to.',
    handler: subscribing(
      'ssubscribe',
      ({ engine, session }, channel) => engine.pubsub.subscribeShard(session, channel),
      shardCount,
    ),
  },
  {
    ...base,
    name: 'sunsubscribe',
    arity: -1,
    flags: subscriberFlags,
    since: '7.0.0',
    summary: 'Stops listening to messages posted to shard channels.',
    complexity: 'O(N) where N is the number of shard channels to unsubscribe.',
    handler: unsubscribing(
      'sunsubscribe',
      (session) => session.shardChannels,
      ({ engine, session }, channel) => engine.pubsub.unsubscribeShard(session, channel),
      shardCount,
    ),
  },
  {
    ...base,
    name: 'publish',
    arity: 3,
    flags: ['pubsub', 'loading', 'stale', 'fast'],
    since: '2.0.0',
    summary: 'Posts a message to a channel.',
    complexity:
      'O(N+M) where N is the number of clients subscribed to the receiving channel and M is the number of patterns.',
    categories: ['pubsub', 'fast'],
    handler: ({ engine, request, reply }) => reply.integer(engine.pubsub.publish(request.string(1), request.view(2))),
  },
  {
    ...base,
    name: 'spublish',
    arity: 3,
    flags: ['pubsub', 'loading', 'stale', 'fast'],
    since: '7.0.0',
    summary: 'Posts a message to a shard channel.',
    complexity: 'O(N) where N is the number of clients subscribed to the receiving shard channel.',
    categories: ['pubsub', 'fast'],
    handler: ({ engine, request, reply }) =>
      reply.integer(engine.pubsub.publishShard(request.string(1), request.view(2))),
  },
  {
    ...base,
    name: 'pubsub',
    arity: -2,
    flags: [],
    since: '2.8.0',
    summary: 'A container for Pub/Sub commands.',
    complexity: 'Depends on subcommand.',
    categories: ['slow'],
    subcommands: [
      {
        ...introspection,
        name: 'channels',
        arity: -2,
        since: '2.8.0',
        summary: 'Returns the active channels.',
        complexity: 'O(N) where N is the number of active channels.',
        handler: (call) => {
          const { request, engine } = call
          if (request.count > 3) throw tooMany(request)
          names(call, engine.pubsub.channels(request.count === 3 ? request.string(2) : undefined))
        },
      },
      {
        ...introspection,
        name: 'numpat',
        arity: 2,
        since: '2.8.0',
        summary: 'Returns a count of unique pattern subscriptions.',
        complexity: 'O(1)',
        handler: ({ engine, reply }) => reply.integer(engine.pubsub.patternCount),
      },
      {
        ...introspection,
        name: 'numsub',
        arity: -2,
        since: '2.8.0',
        summary: 'Returns a count of subscribers to channels.',
        complexity: 'O(N) for the NUMSUB subcommand, where N is the number of requested channels',
        handler: (call) => counts(call, (channel) => call.engine.pubsub.subscriberCount(channel)),
      },
      {
        ...introspection,
        name: 'shardchannels',
        arity: -2,
        since: '7.0.0',
        summary: 'Returns the active shard channels.',
        complexity: 'O(N) where N is the number of active shard channels.',
        handler: (call) => {
          const { request, engine } = call
          if (request.count > 3) throw tooMany(request)
          names(call, engine.pubsub.shardChannels(request.count === 3 ? request.string(2) : undefined))
        },
      },
      {
        ...introspection,
        name: 'shardnumsub',
        arity: -2,
        since: '7.0.0',
        summary: 'Returns the count of subscribers of shard channels.',
        complexity: 'O(N) where N is the number of requested shard channels',
        handler: (call) => counts(call, (channel) => call.engine.pubsub.shardSubscriberCount(channel)),
      },
      help('pubsub', 'pubsub', '6.2.0', [
        'CHANNELS [<pattern>]',
        "    Return the currently active channels matching a <pattern> (default: '*').",
        'NUMPAT',
        '    Return number of subscriptions to patterns.',
        'NUMSUB [<channel> ...]',
        '    Return the number of subscribers for the specified channels, excluding',
        '    pattern subscriptions(default: no channels).',
        'SHARDCHANNELS [<pattern>]',
        "    Return the currently active shard level channels matching a <pattern> (default: '*').",
        'SHARDNUMSUB [<shardchannel> ...]',
        '    Return the number of subscribers for the specified shard level channel(s)',
      ]),
    ],
  },
]

function tooMany(request: Request): CommandError {
  return new CommandError(
    `ERR unknown subcommand or wrong number of arguments for '${request.string(1)}'. Try PUBSUB HELP.`,
  )
}
