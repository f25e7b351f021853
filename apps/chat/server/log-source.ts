import { mkdir } from 'node:fs/promises'
import { connect, type Yeoul } from 'yeoul'
import type { Settings } from './settings.js'

/** The log, opened, and what else was opened for it. */
export interface LogSource {
  yeoul: Yeoul
  /** Port on which Redis clients reach the embedded engine; undefined when the log is on a server of its own. */
  respPort: number | undefined
  /** After everything that uses the log has ended. */
  close(): Promise<void>
}

export interface LoadProgress {
  bytes: number
  total: number
}

/**
 * Opens the log. Embedded: the engine on its directory, each write on disk before it is answered, with a server for Redis
 * clients beside it. The engine is loaded only here: on a Redis server it is not needed.
 */
export async function openLog(
  settings: Settings['log'],
  host: string,
  progress: (progress: LoadProgress) => void,
): Promise<LogSource> {
  if ('url' in settings) {
    const yeoul = await connect(settings.url)
    return { yeoul, respPort: undefined, close: () => yeoul.close() }
  }
  const [{ Engine }, { listen }] = await Promise.all([import('yeoul/engine'), import('yeoul/server')])
  await mkdir(settings.directory, { recursive: true })
  const engine = await Engine.open({ directory: settings.directory, appendfsync: 'always', progress })
  try {
    const server = await listen(engine, { host, port: settings.respPort })
    const yeoul = await connect({ engine })
    return {
      yeoul,
      respPort: server.port,
      async close() {
        // Clients first: what they were promised is in the log before the engine ends.
        await server.close()
        await yeoul.close()
        await engine.close()
      },
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}
