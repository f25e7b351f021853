import type { StandardSchemaV1 } from '@standard-schema/spec'
import { FIELD } from './entry-fields.js'

/** What a topic says of itself. */
export interface TopicContract {
  readonly name: string
  readonly codec: string
  readonly field: string
  readonly version: number | undefined
  readonly schema: StandardSchemaV1 | undefined
}

export interface AsyncApiOptions {
  /** Of the document: `info.title` and `info.version`. */
  title: string
  version: string
  /** JSON Schema of a topic's values, by topic, where its schema library does not say it itself. */
  payloads?: Readonly<Record<string, object>>
}

const CONTENT_TYPES: Record<string, string> = {
  json: 'application/json',
  text: 'text/plain; charset=utf-8',
  bytes: 'application/octet-stream',
}

/**
 * An AsyncAPI 3.0 document of these topics, ready for JSON.stringify: a channel and a message each, what a producer may
 * write, with the payload's JSON Schema where the schema library offers it (`~standard.jsonSchema`) or `payloads` gives it.
 */
export function asyncApi(topics: readonly { readonly contract: TopicContract }[], options: AsyncApiOptions): object {
  const channels: Record<string, object> = {}
  const operations: Record<string, object> = {}
  for (const { contract } of topics) {
    const id = contract.name.replace(/[^A-Za-z0-9_-]/g, '_')
    const reference = { $ref: `#/channels/${id}` }
    const message = { $ref: `#/channels/${id}/messages/${id}` }
    channels[id] = { address: contract.name, messages: { [id]: messageOf(contract, options) } }
    operations[`publish_${id}`] = { action: 'send', channel: reference, messages: [message] }
    operations[`consume_${id}`] = { action: 'receive', channel: reference, messages: [message] }
  }
  return {
    asyncapi: '3.0.0',
    info: { title: options.title, version: options.version },
    defaultContentType: 'application/json',
    channels,
    operations,
  }
}

function messageOf({ name, codec, field, version, schema }: TopicContract, options: AsyncApiOptions): object {
  const where = codec === 'fields' ? 'The fields of the stream entry.' : `Field \`${field}\` of the stream entry.`
  const text = { type: 'string' }
  return {
    name,
    title: name,
    ...(CONTENT_TYPES[codec] === undefined ? {} : { contentType: CONTENT_TYPES[codec] }),
    summary: where,
    headers: {
      type: 'object',
      properties: {
        [FIELD.key]: { ...text, description: 'What the message is about.' },
        [FIELD.traceparent]: { ...text, description: 'W3C trace context.' },
        ...(version === undefined
          ? {}
          : { [FIELD.version]: { ...text, const: String(version), description: 'Version of the payload.' } }),
      },
      patternProperties: { '^h\\.': text },
    },
    payload: options.payloads?.[name] ?? jsonSchemaOf(schema) ?? {},
  }
}

/** What a producer writes: the schema's input. Undefined where the library does not say. */
function jsonSchemaOf(schema: StandardSchemaV1 | undefined): object | undefined {
  const standard = schema?.['~standard'] as
    | { jsonSchema?: { input?: (options: { target: string }) => object } }
    | undefined
  try {
    return standard?.jsonSchema?.input?.({ target: 'draft-07' })
  } catch {
    return undefined // a type that JSON Schema has no words for
  }
}
