/**
 * The thread that the embedded database lives on. PGlite is PostgreSQL compiled to WebAssembly: a query runs on the calling
 * thread from start to end, so it must not be the one that serves sockets.
 *
 * Parent → thread: Uint8Array, whole messages of PostgreSQL's wire protocol; or null = close.
 * Thread → parent: `{ ready }` once, then one Uint8Array of answers for each one sent; `{ failed }` when it cannot go on.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm'

/** Absent directory: in memory, gone with the thread. */
export interface ThreadData {
  directory?: string
}

export type FromThread = { ready: true } | { failed: string } | { closed: true } | Uint8Array

const port = parentPort!
const { directory } = workerData as ThreadData

function post(message: FromThread): void {
  port.postMessage(message)
}

try {
  const database = await PGlite.create({ dataDir: directory ?? 'memory://', extensions: { pg_trgm } })
  let last: Promise<unknown> = Promise.resolve()
  port.on('message', (message: Uint8Array | null) => {
    last = last.then(() => (message === null ? close(database) : answer(database, message)))
  })
  post({ ready: true })
} catch (error) {
  post({ failed: error instanceof Error ? error.message : String(error) })
  port.close()
}

async function answer(database: PGlite, message: Uint8Array): Promise<void> {
  try {
    // The answer is a view of a buffer that the next call reuses: posting copies exactly the view.
    post(await database.execProtocolRaw(message))
  } catch (error) {
    post({ failed: error instanceof Error ? error.message : String(error) })
  }
}

async function close(database: PGlite): Promise<void> {
  await database.close()
  post({ closed: true })
  port.close()
}
