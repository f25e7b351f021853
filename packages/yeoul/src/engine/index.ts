/** The public list of the engine: streams, groups and Pub/Sub in process, in memory or on disk. */
export type { BackupProgress, BackupReport } from './aof/backup.js'
export { checkAppendOnly } from './aof/check.js'
export { BackupRefused, CorruptLog, RewriteAbandoned, UnsupportedLog, WriteFailed } from './aof/errors.js'
export type { AppendFsync } from './aof/log.js'
export { Engine, type EngineOptions } from './engine.js'
export { EngineError } from './errors.js'
export { type Clock, systemClock, type Timer } from './io/clock.js'
export { FileStorage } from './io/file-storage.js'
export { MemoryStorage } from './io/memory-storage.js'
export { DirectoryLocked, type Storage, type StorageFile, type StorageLock } from './io/storage.js'
export type { Listener, PubSub, Selection } from './pubsub.js'
export { Request } from './resp/request.js'
export type { Session } from './session.js'
export type {
  GroupEntries,
  PendingDelivery,
  StreamEntries,
  Streams,
  TrimRequest,
  WaitOptions,
} from './streams.js'
export { Delivery, Entry, type Fields } from './wire.js'
