import type { ApiError } from './api.js'

/** JSON of the operations API. A refusal becomes an error whose message is the server's sentence. */
export async function request<Answer>(
  path: string,
  options: { body?: unknown; signal?: AbortSignal } = {},
): Promise<Answer> {
  const { body, signal } = options
  const response = await fetch(path, {
    signal,
    ...(body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const answer: unknown = await response.json().catch(() => null)
  if (response.ok && answer !== null) return answer as Answer
  const message = (answer as ApiError | null)?.error?.message
  throw new Error(message ?? `${response.status} ${response.statusText}`)
}
