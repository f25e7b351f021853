/** The public list of the runtime: `import { connect } from 'yeoul'`. */
import { fromStore } from './runtime/errors.js'
import type { StreamStore } from './runtime/store.js'
import { Yeoul, type YeoulOptions } from './runtime/yeoul.js'
import { type ConnectTarget, openStore } from './stores/open.js'

export type ConnectOptions = YeoulOptions

/**
 * Opens a store and connects to it. Without a target: `YEOUL_URL`, else the durable embedded engine in `./.yeoul`.
 *
 *     connect()                              connect('memory:')               connect('file:./data')
 *     connect('redis://127.0.0.1:6379')      connect({ cluster: ['redis://…', …] })
 *
 * Rejects with YeoulError when the target cannot be used.
 */
export async function connect(
  target: ConnectTarget = process.env.YEOUL_URL || 'file:./.yeoul',
  options: ConnectOptions = {},
): Promise<Yeoul> {
  let store: StreamStore
  try {
    store = openStore(target)
  } catch (error) {
    throw fromStore(error, 'connect')
  }
  return Yeoul.open(store, options)
}

export { type AsyncApiOptions, asyncApi, type TopicContract } from './runtime/async-api.js'
export type { HandlerContext } from './runtime/attempt.js'
export type { Backoff } from './runtime/backoff.js'
export type { BatchContext, BatchHandler } from './runtime/batch.js'
export type { Bound } from './runtime/bound.js'
export type { Clock, Timer } from './runtime/clock.js'
export type { Codec, CodecName } from './runtime/codec.js'
export type { DeadLetter, RedriveOptions, RedriveProgress } from './runtime/dead-letters.js'
export { DeadLetters } from './runtime/dead-letters.js'
export type { Duration } from './runtime/duration.js'
export type { Failure } from './runtime/entry-fields.js'
export { ERRORS, type ErrorCode, type Issue, PartialPublishError, YeoulError } from './runtime/errors.js'
export type { DeadReason, EventType, WorkerState, YeoulEvents } from './runtime/events.js'
export type { Handler } from './runtime/handler.js'
export type { GroupDetail, GroupOverview, Inspector, Overview, TopicOverview } from './runtime/inspector.js'
export type { Message } from './runtime/message.js'
export type { HistogramSnapshot, Metrics, MetricsSnapshot } from './runtime/metrics.js'
export type { Published, PublishOptions } from './runtime/producer.js'
export type { ReadOptions } from './runtime/reading.js'
export type { RegisteredTopic, WorkerBeat } from './runtime/registry.js'
export type { StartFrom } from './runtime/start.js'
export {
  type Channels,
  type ConsumerInfo,
  type Durability,
  type GroupInfo,
  type PendingDelivery,
  StoreError,
  type StoreFacts,
  type StreamInfo,
  type StreamStore,
  type Subscription,
} from './runtime/store.js'
export { Topic, type TopicOptions, type TrimOptions } from './runtime/topic.js'
export type { Retention } from './runtime/trimmer.js'
export { RetryAfter, Unrecoverable } from './runtime/verdict.js'
export type { GroupAccount, MessageAccount, MessageState, Verification, VerifyOptions } from './runtime/verification.js'
export type { Upcast, VersionOptions } from './runtime/versions.js'
export { type BatchWorkerOptions, Worker, type WorkerHealth, type WorkerOptions } from './runtime/worker.js'
export { type Health, Yeoul } from './runtime/yeoul.js'
export type { ConnectTarget } from './stores/open.js'
