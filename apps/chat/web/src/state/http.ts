import type { ChatMessage, ChatNotification, Ledger, RoomSummary, SearchHit } from '../../../server/protocol.js'

/** The answer was an error, or none came (`status` 0). */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed'
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

export interface SearchPage {
  hits: SearchHit[]
  more: boolean
  cursor: string | null
  tookMs: number
}

/** What the page asks over HTTP; the shapes are those of `server/protocol.ts`. */
export const http = {
  createRoom: (name: string) => post<{ room: RoomSummary }>('/api/rooms', { name }),
  history: (room: string, place: { before: number } | { around: number }, limit: number, signal?: AbortSignal) =>
    get<{ messages: ChatMessage[]; more: boolean }>(
      `/api/rooms/${encodeURIComponent(room)}/messages`,
      { ...place, limit },
      signal,
    ),
  search: (query: { q: string; room?: string; before?: string }, signal?: AbortSignal) =>
    get<SearchPage>('/api/search', { ...query, limit: 30 }, signal),
  notifications: (user: string) =>
    get<{ notifications: ChatNotification[]; unseen: number }>('/api/notifications', { user, limit: 50 }),
  seen: (user: string, ids: string[]) => post<{ ok: true }>('/api/notifications/seen', { user, ids }),
  ledger: () => get<Ledger>('/api/ledger', {}),
}

export type Http = typeof http

function get<Answer>(
  path: string,
  query: Record<string, string | number | undefined>,
  signal?: AbortSignal,
): Promise<Answer> {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value))
  const search = parameters.toString()
  return request<Answer>(search ? `${path}?${search}` : path, { signal })
}

function post<Answer>(path: string, body: unknown): Promise<Answer> {
  return request<Answer>(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

async function request<Answer>(path: string, init: RequestInit): Promise<Answer> {
  let response: Response
  try {
    response = await fetch(path, init)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new RequestFailed(0, String(error))
  }
  const body: unknown = await response.json().catch(() => null)
  if (response.ok) return body as Answer
  const message = (body as { error?: { message?: string } } | null)?.error?.message
  throw new RequestFailed(response.status, message ?? response.statusText)
}
