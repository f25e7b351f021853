import { createClient } from 'redis'
import { type Key, Model } from '../durability/model.js'

/** Reads everything a server holds in its first two databases, by the commands that show it. */
export async function modelOfServer(url: string): Promise<Model> {
  const client = createClient({ url, RESP: 2 })
  await client.connect()
  const model = new Model()
  try {
    for (const [database, keys] of model.databases.entries()) {
      await client.sendCommand(['SELECT', String(database)])
      const names = await ask<string[]>(client, 'KEYS', '*')
      for (const name of names) {
        const expiry = await ask<number>(client, 'PEXPIRETIME', name)
        const value = await readValue(client, name)
        if (value !== undefined) keys.set(name, { value, expiry: expiry < 0 ? Number.POSITIVE_INFINITY : expiry })
      }
    }
    return model
  } finally {
    client.destroy()
  }
}

type Client = ReturnType<typeof createClient>

/** Strings are latin1, one character a byte, as the engine keeps them. */
async function ask<T>(client: unknown, ...words: string[]): Promise<T> {
  const buffers = words.map((word) => Buffer.from(word, 'latin1'))
  const reply = await (client as Client).sendCommand(buffers, { typeMapping: { [BULK]: Buffer } })
  return decode(reply) as T
}

/** RESP type `$`. */
const BULK = 36

function decode(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1')
  return Array.isArray(reply) ? reply.map(decode) : reply
}

/** Undefined when the key has expired meanwhile. */
async function readValue(client: unknown, name: string): Promise<Key['value'] | undefined> {
  switch (await ask<string>(client, 'TYPE', name)) {
    case 'string':
      return (await ask<string | null>(client, 'GET', name)) ?? undefined
    case 'hash':
      return object(await ask(client, 'HGETALL', name)) as Record<string, string>
    case 'zset': {
      const flat = await ask<string[]>(client, 'ZRANGE', name, '0', '-1', 'WITHSCORES')
      return flat.flatMap((member, i) => (i % 2 === 0 ? [{ member, score: Number(flat[i + 1]) }] : []))
    }
    case 'stream':
      return streamOf(object(await ask(client, 'XINFO', 'STREAM', name, 'FULL', 'COUNT', '0')))
    default:
      return undefined
  }
}

function streamOf(info: Record<string, unknown>): Key['value'] {
  const groups = (info.groups as unknown[][]).map(object)
  return {
    entries: (info.entries as [string, string[]][]).map(([id, fields]) => ({ id, fields })),
    lastId: String(info['last-generated-id']),
    maxDeletedId: String(info['max-deleted-entry-id']),
    added: Number(info['entries-added']),
    groups: Object.fromEntries(
      groups.map((group) => [
        String(group.name),
        {
          lastId: String(group['last-delivered-id']),
          read: group['entries-read'] === null ? -1 : Number(group['entries-read']),
          consumers: (group.consumers as unknown[][]).map((consumer) => String(object(consumer).name)),
          // Newer servers say nacked-count beside it; the list has the same form in all.
          pending: ((group.pending ?? group.pel) as [string, string, number, number][]).map(
            ([id, consumer, time, count]) => ({ id, consumer, time, count }),
          ),
        },
      ]),
    ),
  }
}

function object(flat: unknown[]): Record<string, unknown> {
  return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), flat[i + 1]]] : [])))
}
