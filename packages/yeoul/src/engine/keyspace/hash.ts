import { Table } from './table.js'

/** Up to so many fields, none longer than so many bytes, a hash keeps its fields in order of insertion, as Redis does. */
const COMPACT_FIELDS = 512
const COMPACT_BYTES = 64

/** Fields and values are latin1 strings (one character a byte). */
export class Hash {
  readonly #fields = new Table<string>()
  #compact = true
  /** Bytes of all fields and values. */
  bytes = 0

  get size(): number {
    return this.#fields.size
  }

  get encoding(): 'listpack' | 'hashtable' {
    return this.#compact ? 'listpack' : 'hashtable'
  }

  get fields(): readonly string[] {
    return this.#fields.keys
  }

  get values(): readonly string[] {
    return this.#fields.values
  }

  has(field: string): boolean {
    return this.#fields.has(field)
  }

  get(field: string): string | undefined {
    return this.#fields.get(field)
  }

  /** True when the field is new. */
  set(field: string, value: string): boolean {
    const before = this.#fields.get(field)
    const added = this.#fields.set(field, value)
    this.bytes += added ? field.length + value.length : value.length - (before as string).length
    if (
      this.#compact &&
      (field.length > COMPACT_BYTES || value.length > COMPACT_BYTES || this.#fields.size > COMPACT_FIELDS)
    ) {
      this.#compact = false
    }
    return added
  }

  delete(field: string): boolean {
    const value = this.#fields.get(field)
    if (value === undefined) return false
    this.bytes -= field.length + value.length
    return this.#fields.delete(field, this.#compact)
  }

  /** A small hash is answered whole, whatever the count. */
  scan(cursor: number, count: number, visit: (field: string, value: string) => void): number {
    if (this.#compact) {
      for (let i = 0; i < this.#fields.size; i++) visit(this.#fields.keys[i], this.#fields.values[i])
      return 0
    }
    return this.#fields.scan(cursor, count, visit)
  }

  copy(): Hash {
    const copy = new Hash()
    for (let i = 0; i < this.#fields.size; i++) copy.set(this.#fields.keys[i], this.#fields.values[i])
    copy.#compact = this.#compact
    return copy
  }

  memory(): number {
    return 160 + this.bytes + this.size * 72
  }
}
