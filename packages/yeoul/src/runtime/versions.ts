import { YeoulError } from './errors.js'

/** Turns a value of one version into one of the next. May throw: the message then goes to the dead letters. */
export type Upcast = (value: never) => unknown

export interface VersionOptions {
  /** Of what is published: a whole number from 1, written into field `_v`. An entry without that field is version 1. */
  version?: number
  /** By the version it takes: `{ 1: (v1) => v2, 2: (v2) => v3 }`; every version below `version` that is still to be read. */
  upcast?: Readonly<Record<number, Upcast>>
}

/** Brings values of older versions up to the present one, step by step, before the schema sees them. */
export class Versions {
  readonly current: number | undefined
  private readonly upcast: Readonly<Record<number, Upcast>>

  constructor({ version, upcast = {} }: VersionOptions) {
    if (version !== undefined && !(Number.isSafeInteger(version) && version >= 1)) {
      throw new YeoulError('INVALID_OPTION', `version: ${version} is no whole number of at least 1`)
    }
    const without = Object.keys(upcast).find((from) => version === undefined || !(Number(from) < version))
    if (without !== undefined) {
      throw new YeoulError('INVALID_OPTION', `upcast: version ${without} is not below the topic's version`, {
        advice: 'Give `version`, and upcasters by the version each takes: { 1: (v1) => v2 } with version 2.',
      })
    }
    this.current = version
    this.upcast = upcast
  }

  /** `from`: undefined for an entry that states no version. Throws UNKNOWN_VERSION or UNDECODABLE; `subject` names the entry. */
  raise(value: unknown, from: number | undefined, subject: string): unknown {
    if (this.current === undefined) return value
    let raised = value
    for (let version = from ?? 1; version !== this.current; version++) {
      const step = this.upcast[version]
      if (version > this.current || step === undefined) {
        throw new YeoulError('UNKNOWN_VERSION', `${subject}: version ${from ?? 1} cannot be read as ${this.current}`)
      }
      try {
        raised = step(raised as never)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new YeoulError('UNDECODABLE', `${subject}: upcasting from version ${version}: ${reason}`, {
          cause: error,
        })
      }
    }
    return raised
  }
}
