import { once } from 'node:events'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { createServer, connect as openConnection } from 'node:net'
import { join } from 'node:path'

/**
 * Where a process listens to show that it lives. The kernel closes the socket when the process ends, however it ends, and
 * a socket with a name in the file system is found from every container of the machine that shares the directory. So of an
 * owner whose process id says nothing here it can still be told whether it is alive, given the same kernel and the same
 * mounted file system (`device`).
 */
export interface AliveSocket {
  /** Name in the directory. */
  name: string
  /** Number of the file system that holds the directory. */
  device: number
}

export interface ListeningSocket extends AliveSocket {
  close(): Promise<void>
}

/** Undefined where it cannot be done: not Linux, or a file system without sockets. */
export async function listenAlive(directory: string, name: string): Promise<ListeningSocket | undefined> {
  if (process.platform !== 'linux') return undefined
  let handle: FileHandle | undefined
  try {
    handle = await open(directory, 'r')
    const { dev } = await handle.stat()
    const server = createServer((socket) => socket.destroy())
    // Names of sockets are at most 107 bytes long; by way of the open directory they always are.
    server.listen({ path: `/proc/self/fd/${handle.fd}/${name}`, exclusive: true, writableAll: true })
    await once(server, 'listening')
    server.unref()
    server.on('error', () => {})
    const held = handle
    return {
      name,
      device: dev,
      async close() {
        await new Promise<void>((resolve) => server.close(() => resolve()))
        await unlink(join(directory, name)).catch(() => {})
        await held.close()
      },
    }
  } catch {
    await handle?.close()
    return undefined
  }
}

/** Does somebody listen? Undefined when it cannot be told. */
export async function isListening(directory: string, { name, device }: AliveSocket): Promise<boolean | undefined> {
  if (process.platform !== 'linux' || name.includes('/')) return undefined
  let handle: FileHandle | undefined
  try {
    handle = await open(directory, 'r')
    if ((await handle.stat()).dev !== device) return undefined
    const socket = openConnection({ path: `/proc/self/fd/${handle.fd}/${name}` })
    try {
      await once(socket, 'connect')
      return true
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ECONNREFUSED') return false
      return code === 'EAGAIN' ? true : undefined
    } finally {
      socket.destroy()
    }
  } catch {
    return undefined
  } finally {
    await handle?.close()
  }
}
