import type { StoreErrorCode } from '../runtime/store.js'

/** What an error reply of a server, or of the engine, begins with, and what it means to the runtime. */
const codes: Record<string, StoreErrorCode> = {
  NOGROUP: 'GROUP_MISSING',
  BOUND: 'BOUND_REACHED',
  WRONGTYPE: 'WRONG_TYPE',
  READONLY: 'UNAVAILABLE',
  OOM: 'UNAVAILABLE',
  LOADING: 'UNAVAILABLE',
  BUSY: 'UNAVAILABLE',
  MISCONF: 'UNAVAILABLE',
  MASTERDOWN: 'UNAVAILABLE',
  NOREPLICAS: 'UNAVAILABLE',
  CLUSTERDOWN: 'UNAVAILABLE',
  TRYAGAIN: 'UNAVAILABLE',
  MOVED: 'UNAVAILABLE',
  ASK: 'UNAVAILABLE',
  NOAUTH: 'UNAUTHORIZED',
  WRONGPASS: 'UNAUTHORIZED',
  NOPERM: 'UNAUTHORIZED',
}

const streamMissing = /^ERR (no such key|The XGROUP subcommand requires the key to exist)/i

/** REFUSED for anything that has no code of its own. */
export function codeOf(reply: string): StoreErrorCode {
  return codes[/^[A-Z]+/.exec(reply)?.[0] ?? ''] ?? (streamMissing.test(reply) ? 'GROUP_MISSING' : 'REFUSED')
}
