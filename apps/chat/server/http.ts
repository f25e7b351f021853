import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { secureHeaders } from 'hono/secure-headers'
import { z } from 'zod'
import { type Database, isUnreachable } from './database/database.js'
import { markSeen, notificationsOf } from './database/notifications.js'
import { search } from './database/search.js'
import { type History, HistoryUnavailable } from './history.js'
import type { Later } from './later.js'
import type { ChatMetrics } from './metrics.js'
import { nameSchema } from './names.js'
import type { RoomDirectory } from './rooms.js'

export interface HttpParts {
  rooms: RoomDirectory
  history: History
  database: Later<Database>
  metrics: ChatMetrics
  /** The operations' own paths; undefined for any other. */
  operations(request: Request): Promise<Response | undefined>
  /** Tells everybody of a new room. */
  roomOpened(room: string): void
  /** A failure that the asker can do nothing about. */
  onError(where: string, error: unknown): void
  /** The built web page. */
  webDirectory: string
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.map': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
}

const limit = (most: number) => z.coerce.number().int().min(1).max(most)
const place = z.coerce.number().int().min(0)
const forUser = z.object({ user: nameSchema })
const historyQuery = z.object({ before: place.optional(), around: place.optional(), limit: limit(500).default(50) })
const searchQuery = z.object({
  q: z.string().trim().min(1).max(200),
  room: nameSchema.optional(),
  before: z
    .string()
    .regex(/^\d{1,15}-\d{1,15}$/)
    .optional(),
  limit: limit(100).default(30),
})
const notificationQuery = forUser.extend({ limit: limit(200).default(50) })
const newRoom = z.object({ name: nameSchema })
const seenBody = forUser.extend({ ids: z.array(z.string().max(128)).max(1000) })

/** The chat over HTTP: what is asked once (protocol.ts), the page itself, and operations. */
export function createHttp(parts: HttpParts): Hono {
  const app = new Hono()
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        // The socket is of this origin; not every browser counts ws: as such.
        connectSrc: ["'self'", 'ws:', 'wss:'],
        imgSrc: ["'self'", 'data:'],
        styleSrc: ["'self'", "'unsafe-inline'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
      xFrameOptions: 'DENY',
      referrerPolicy: 'no-referrer',
      // Plain HTTP on loopback is the default way to run this.
      strictTransportSecurity: false,
    }),
  )
  app.onError((error, context) => {
    const response = refusal(context, error)
    if (response.status >= 500) parts.onError(`${context.req.method} ${context.req.path}`, error)
    return response
  })
  app.use(async (context, next) => (await parts.operations(context.req.raw)) ?? (await next()))
  app.use(
    '/api/*',
    bodyLimit({
      maxSize: 64 * 1024,
      onError: (context) => refuse(context, 413, 'too_large', 'the body is larger than 64 KiB'),
    }),
  )

  app.get('/api/rooms', (context) => {
    const { user } = forUser.parse(context.req.query())
    return context.json({ rooms: parts.rooms.summaries(user) })
  })
  app.post('/api/rooms', async (context) => {
    const { name } = newRoom.parse(await body(context))
    const { room, made } = await parts.rooms.open(name)
    if (made) parts.roomOpened(name)
    return context.json({ room: room.summary('') }, made ? 201 : 200)
  })
  app.get('/api/rooms/:room/messages', async (context) => {
    const room = nameSchema.parse(context.req.param('room'))
    const { before, around, limit } = historyQuery.parse(context.req.query())
    const known = parts.rooms.get(room)
    if (known === undefined) return refuse(context, 404, 'no_room', `there is no room ${room}`)
    const top = await parts.rooms.latest(known)
    const to =
      around === undefined ? Math.min((before ?? top + 1) - 1, top) : Math.min(top, around + Math.floor(limit / 2))
    const from = Math.max(1, to - limit + 1)
    return context.json({ messages: await parts.history.between(room, from, to), more: from > 1 })
  })
  app.get('/api/search', async (context) => {
    const { q, room, before, limit } = searchQuery.parse(context.req.query())
    const started = performance.now()
    const page = await search(open(parts.database), { text: q, room, before, limit })
    const { hits, more, cursor } = page
    return context.json({ hits, more, cursor, tookMs: Math.round(performance.now() - started) })
  })
  app.get('/api/notifications', async (context) => {
    const { user, limit } = notificationQuery.parse(context.req.query())
    return context.json(await notificationsOf(open(parts.database), user, limit))
  })
  app.post('/api/notifications/seen', async (context) => {
    const { user, ids } = seenBody.parse(await body(context))
    await markSeen(open(parts.database), user, ids)
    return context.json({ ok: true })
  })
  app.get('/api/ledger', (context) => context.json(parts.metrics.ledger))
  app.all('/api/*', (context) =>
    refuse(context, 404, 'not_found', `there is no ${context.req.method} ${context.req.path}`),
  )
  app.get('*', (context) => page(context, parts.webDirectory))
  return app
}

async function page(context: Context, directory: string): Promise<Response> {
  const path = context.req.path === '/' ? '/index.html' : decodeURIComponent(context.req.path)
  const file = join(directory, normalize(path))
  const type = TYPES[extname(file)]
  const content = type && file.startsWith(directory) ? await readFile(file).catch(() => undefined) : undefined
  if (content === undefined) return refuse(context, 404, 'not_found', `there is no ${context.req.path}`)
  // What the build puts there is named by its content and never changes.
  const caching = path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'
  return context.body(content, 200, { 'content-type': type, 'cache-control': caching })
}

class NotNow extends Error {}

function open(database: Later<Database>): Database {
  if (database.current === undefined)
    throw new NotNow('the database is still being opened; messages are already in the log')
  return database.current
}

async function body(context: Context): Promise<unknown> {
  if (!context.req.header('content-type')?.startsWith('application/json'))
    throw new BadBody('send the body as application/json')
  return context.req.json().catch(() => {
    throw new BadBody('the body is not JSON')
  })
}

class BadBody extends Error {}

function refusal(context: Context, error: Error): Response {
  if (error instanceof z.ZodError) {
    const [{ path, message }] = error.issues
    return refuse(context, 400, 'invalid', path.length > 0 ? `${path.join('.')}: ${message}` : message)
  }
  if (error instanceof BadBody || error instanceof URIError) return refuse(context, 400, 'bad_body', error.message)
  if (error instanceof NotNow || error instanceof HistoryUnavailable)
    return refuse(context, 503, 'not_now', error.message)
  if (isUnreachable(error)) return refuse(context, 503, 'not_now', 'the database does not answer')
  return refuse(context, 500, 'failed', 'this failed on the server')
}

function refuse(context: Context, status: 400 | 404 | 413 | 500 | 503, code: string, message: string): Response {
  return context.json({ error: { code, message } }, status)
}
