import { createClient, RESP_TYPES } from 'redis'
import type { Argument, Reply } from '../functions/step.js'
import { broken, late, refused } from './errors.js'

/** How to reach the server; from the URL and the options of the store. */
export interface ClientOptions {
  host: string
  port: number
  tls: boolean
  username?: string
  password?: string
  database: number
  /** ms to wait for a connection, its handshake included, and for any answer. */
  deadline: number
  /** Shown by CLIENT LIST. */
  name?: string
}

/** What the stores use of a node-redis client, whatever its generics. */
export interface RawClient {
  readonly isReady: boolean
  sendCommand(args: readonly Argument[], options?: object): Promise<unknown>
  pSubscribe(pattern: string, listener: (message: Buffer, channel: Buffer) => void, bufferMode: true): Promise<void>
  subscribe(channel: string, listener: (message: Buffer, channel: Buffer) => void, bufferMode: true): Promise<void>
  pUnsubscribe(pattern: string): Promise<void>
  unsubscribe(channel: string): Promise<void>
  connect(): Promise<unknown>
  destroy(): void
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown
}

/** Maps come as flat arrays: the order of streams in a reply is kept, and names may be bytes. */
export const asText = { typeMapping: { [RESP_TYPES.MAP]: Array } }
export const asBytes = { typeMapping: { [RESP_TYPES.MAP]: Array, [RESP_TYPES.BLOB_STRING]: Buffer } }

/**
 * Settings every node-redis client here has: no time-out object per command (it would cost three times the command; the
 * links watch deadlines themselves), and no queue while offline, so that nothing is sent that its caller gave up.
 */
export const clientSettings = {
  RESP: 3 as const,
  commandOptions: { timeout: 0 },
  disableOfflineQueue: true,
  maintNotifications: 'disabled' as const,
}

/** A client that is connected once and, when its connection ends, is thrown away. */
export function newClient(options: ClientOptions): RawClient {
  const client = createClient({
    ...clientSettings,
    socket: {
      host: options.host,
      port: options.port,
      ...(options.tls ? { tls: true as const } : {}),
      connectTimeout: options.deadline,
      reconnectStrategy: false,
    } as never,
    username: options.username,
    password: options.password,
    database: options.database,
    name: options.name,
  })
  return client as unknown as RawClient
}

/** Connects within the deadline, handshake included (a frozen server accepts connections but never answers). */
export async function connectClient(client: RawClient, address: string, deadline: number): Promise<RawClient> {
  client.on('error', () => {}) // the failure reaches whoever waits; without a listener it would end the process
  let expired = false
  const timer = setTimeout(() => {
    expired = true
    client.destroy()
  }, deadline)
  try {
    await client.connect()
    if (expired) throw late(address, deadline, false)
    return client
  } catch (error) {
    client.destroy()
    if (expired) throw late(address, deadline, false)
    throw error instanceof Error && /^[A-Z]+ /.test(error.message)
      ? refused(error, address)
      : broken(error, address, false)
  } finally {
    clearTimeout(timer)
  }
}

/** Sends on a client of one's own with a deadline of its own; past it the client is destroyed. */
export function sendWithin(
  client: RawClient,
  args: readonly Argument[],
  options: object,
  milliseconds: number,
  onExpired: () => void,
): Promise<Reply> {
  const timer = setTimeout(() => {
    onExpired()
    client.destroy()
  }, milliseconds)
  return (client.sendCommand(args, options) as Promise<Reply>).finally(() => clearTimeout(timer))
}
