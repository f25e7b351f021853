import { YeoulError } from '../runtime/errors.js'
import type { Topic } from '../runtime/topic.js'
import { HttpError, json, readBody } from './http-error.js'

/**
 * `POST /publish/:topic`, a JSON body, answered by `{ "id": … }` once the message is in the log. Headers:
 * `idempotency-key` (publishing again with the same one never doubles), `x-yeoul-key` (the message's key). Only topics
 * given to the handler can be published to: a typing error must not make a new stream.
 */
export async function publish(
  request: Request,
  name: string,
  topics: ReadonlyMap<string, Topic<unknown, unknown>>,
  limit: number,
): Promise<Response> {
  const topic = topics.get(name)
  if (topic === undefined) {
    const known = [...topics.keys()]
    throw new HttpError(
      404,
      'unknown_topic',
      `There is no topic '${name}' to publish to; ${known.length === 0 ? 'none is offered here' : `offered are: ${known.join(', ')}`}.`,
    )
  }
  const body = await readBody(request, limit)
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    throw new HttpError(400, 'bad_json', `The body is not JSON: ${error instanceof Error ? error.message : error}.`)
  }
  const dedupe = request.headers.get('idempotency-key') ?? undefined
  const key = request.headers.get('x-yeoul-key') ?? undefined
  try {
    const { id, duplicate } = await topic.publish(value, { dedupe, key })
    return json(duplicate ? { id, duplicate } : { id })
  } catch (error) {
    if (!(error instanceof YeoulError)) throw error
    if (error.code === 'INVALID_VALUE') {
      const issues = error.issues
        ?.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
        .join('; ')
      throw new HttpError(422, 'invalid_value', `The body does not fit topic '${name}': ${issues ?? error.message}.`)
    }
    if (error.code === 'UNENCODABLE' || error.code === 'INVALID_OPTION') {
      throw new HttpError(422, 'invalid_value', `${error.message} ${error.advice}`)
    }
    if (error.code === 'BOUND_REACHED') throw new HttpError(429, 'topic_full', `${error.message} ${error.advice}`)
    throw new HttpError(503, 'unavailable', `${error.message} ${error.advice}`)
  }
}
