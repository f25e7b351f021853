import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type AnyCodec, type Codec, type CodecName, codecOf } from './codec.js'
import { FIELD, isRuntimeField } from './entry-fields.js'
import { type Issue, YeoulError } from './errors.js'
import { ReceivedMessage } from './message.js'
import { type VersionOptions, Versions } from './versions.js'

export interface FormatOptions extends VersionOptions {
  /** Any Standard Schema (zod, valibot, arktype …): checks what is published, and what is read. */
  schema?: StandardSchemaV1
  /** How a value becomes bytes; default 'json'. */
  codec?: CodecName | AnyCodec
  /** Name of the field that holds the value; default 'data'. */
  field?: string
}

/**
 * A topic's values as entry fields and back. What is written is the value as given, not what the schema makes of it: the
 * reader's schema has to accept it again, so a transforming schema runs once, at the reader.
 */
export class Format<In, Out> {
  readonly field: string
  readonly codecName: string
  readonly schema: StandardSchemaV1 | undefined
  readonly versions: Versions
  private readonly codec: Codec<unknown> | undefined
  private readonly dataField: Buffer

  constructor(
    readonly topic: string,
    options: FormatOptions,
  ) {
    this.field = options.field ?? 'data'
    if (this.field === '' || isRuntimeField(this.field) || this.field === FIELD.key) {
      throw new YeoulError('INVALID_OPTION', `field: ${JSON.stringify(this.field)} cannot hold the value`, {
        advice: 'Choose a name that the runtime gives no other meaning: data, payload, message …',
      })
    }
    this.codec = codecOf(options.codec)
    this.codecName = this.codec?.name ?? 'fields'
    this.schema = options.schema
    if (this.schema && typeof this.schema['~standard']?.validate !== 'function') {
      throw new YeoulError('INVALID_OPTION', 'schema: is no Standard Schema', {
        advice:
          'Give a schema of zod 3.24+, valibot 1+, arktype 2+ or another library that implements Standard Schema.',
      })
    }
    this.versions = new Versions(options)
    this.dataField = Buffer.from(this.field)
  }

  /** Rejects or throws INVALID_VALUE. A promise only when the schema is asynchronous. */
  check(value: In): undefined | Promise<undefined> {
    if (!this.schema) return undefined
    const result = this.schema['~standard'].validate(value)
    if (result instanceof Promise)
      return result.then((settled) => {
        this.accept(settled, 'INVALID_VALUE', this.topic)
        return undefined
      })
    this.accept(result, 'INVALID_VALUE', this.topic)
    return undefined
  }

  /** Field names and values in turn, to which the producer adds its own. */
  encode(value: In): (string | Buffer)[] {
    const fields = this.codec ? this.encodeData(value, this.codec) : this.encodeFields(value)
    if (this.versions.current !== undefined) fields.push(FIELD.version, String(this.versions.current))
    return fields
  }

  private encodeData(value: In, codec: Codec<unknown>): (string | Buffer)[] {
    try {
      return [this.field, codec.encode(value)]
    } catch (error) {
      throw new YeoulError(
        'UNENCODABLE',
        `${this.topic}: codec ${this.codecName} cannot write the value: ${text(error)}`,
        {
          cause: error,
          outcome: 'none',
        },
      )
    }
  }

  message(entryId: string, raw: readonly Buffer[]): ReceivedMessage<Out> {
    return new ReceivedMessage<Out>(this.topic, entryId, raw, this.dataField)
  }

  /** The typed value; throws or rejects UNDECODABLE or INVALID_MESSAGE. A promise only when the schema is asynchronous. */
  decode(message: ReceivedMessage<Out>): Out | Promise<Out> {
    const written = this.codec ? this.decodeData(message, this.codec) : decodeFields(message)
    const value = this.versions.raise(written, message.version, `${this.topic} ${message.entryId}`)
    if (!this.schema) return value as Out
    const result = this.schema['~standard'].validate(value)
    if (result instanceof Promise) {
      return result.then(
        (settled) => this.accept(settled, 'INVALID_MESSAGE', `${this.topic} ${message.entryId}`) as Out,
      )
    }
    return this.accept(result, 'INVALID_MESSAGE', `${this.topic} ${message.entryId}`) as Out
  }

  private decodeData(message: ReceivedMessage<Out>, codec: Codec<unknown>): unknown {
    if (message.data === undefined) {
      const names = [...message.fields.keys()].slice(0, 10).map((name) => JSON.stringify(name.slice(0, 60)))
      throw new YeoulError(
        'UNDECODABLE',
        `${this.topic} ${message.entryId}: no field ${JSON.stringify(this.field)}; it has ${names.join(', ')}`,
      )
    }
    try {
      return codec.decode(message.data)
    } catch (error) {
      throw new YeoulError(
        'UNDECODABLE',
        `${this.topic} ${message.entryId}: field ${JSON.stringify(this.field)} is no ${codec.name}: ${text(error)}`,
        { cause: error },
      )
    }
  }

  private encodeFields(value: In): string[] {
    const fields: string[] = []
    if (typeof value === 'object' && value !== null) {
      for (const [name, content] of Object.entries(value)) {
        if (typeof content !== 'string' || isRuntimeField(name)) {
          throw new YeoulError('UNENCODABLE', `${this.topic}: field ${JSON.stringify(name)} cannot be written`, {
            advice:
              'With codec fields, values are text, and names are none of the runtime (`h.…`, `_seq`, `traceparent` …).',
            outcome: 'none',
          })
        }
        fields.push(name, content)
      }
    }
    if (fields.length === 0) {
      throw new YeoulError('UNENCODABLE', `${this.topic}: codec fields writes an object with at least one field`, {
        outcome: 'none',
      })
    }
    return fields
  }

  private accept(
    result: StandardSchemaV1.Result<unknown>,
    code: 'INVALID_VALUE' | 'INVALID_MESSAGE',
    subject: string,
  ): unknown {
    if (!result.issues) return result.value
    const issues = result.issues.map(issueOf)
    const first = issues[0]
    const where = first?.path ? ` at ${first.path}` : ''
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
    throw new YeoulError(
      code,
      `${subject}: does not fit the schema${where}: ${first?.message ?? 'no reason given'}${more}`,
      {
        issues,
        outcome: code === 'INVALID_VALUE' ? 'none' : undefined,
      },
    )
  }
}

function decodeFields(message: ReceivedMessage<unknown>): Record<string, string> {
  const value: Record<string, string> = {}
  for (const [name, content] of message.fields) {
    if (!isRuntimeField(name)) value[name] = content.toString('utf8')
  }
  return value
}

function issueOf(issue: StandardSchemaV1.Issue): Issue {
  const path = issue.path?.map((step) => String(typeof step === 'object' ? step.key : step)).join('.') ?? ''
  return { message: issue.message, path }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
