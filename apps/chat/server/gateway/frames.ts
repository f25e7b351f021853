import { z } from 'zod'
import { isTooLong, nameSchema, textSchema } from '../names.js'
import { type ClientFrame, MAX_TEXT, type RefusalCode } from '../protocol.js'

const seq = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
/** A page shows some rooms; a thousand is no page. */
const MAX_ROOMS = 1000

const clientFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    user: nameSchema,
    rooms: z.record(z.string(), seq).refine((rooms) => Object.keys(rooms).length <= MAX_ROOMS),
  }),
  z.object({ type: z.literal('join'), room: nameSchema, after: seq }),
  z.object({ type: z.literal('leave'), room: nameSchema }),
  z.object({ type: z.literal('send'), room: nameSchema, clientId: z.string().min(1).max(64), text: textSchema }),
  z.object({ type: z.literal('read'), room: nameSchema, seq }),
  z.object({ type: z.literal('typing'), room: nameSchema }),
  z.object({ type: z.literal('fill'), room: nameSchema, from: seq.min(1), to: seq }),
  z.object({ type: z.literal('ping') }),
])

export interface Refusal {
  code: RefusalCode
  text: string
  clientId?: string
  /** ms */
  retryAfter?: number
}

/** A frame from a browser, or why it is none. A refused send names its client id, so that the page knows which. */
export function parseFrame(data: string): ClientFrame | { refusal: Refusal } {
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch {
    return { refusal: { code: 'bad_frame', text: 'a frame is one JSON object' } }
  }
  const parsed = clientFrame.safeParse(json)
  if (parsed.success) return parsed.data as ClientFrame
  return { refusal: explain(json, parsed.error) }
}

function explain(json: unknown, error: z.ZodError): Refusal {
  const { clientId: id, text } = (json ?? {}) as { clientId?: unknown; text?: unknown }
  const clientId = typeof id === 'string' && id.length <= 64 ? id : undefined
  const [issue] = error.issues
  switch (issue?.path[0]) {
    case 'room':
    case 'user':
      return { code: 'bad_name', text: issue.message, clientId }
    case 'text':
      if (typeof text !== 'string') break
      if (text.trim() === '') return { code: 'empty', text: 'the text is empty', clientId }
      if (isTooLong(text)) return { code: 'too_long', text: `a text has at most ${MAX_TEXT} characters`, clientId }
      return { code: 'bad_frame', text: issue.message, clientId }
  }
  return { code: 'bad_frame', text: issue ? `${issue.path.join('.')}: ${issue.message}` : 'unknown frame', clientId }
}
