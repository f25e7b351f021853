/**
 * Names that peers send again and again (keys, groups, consumers) as one and the same string: a look at the bytes is
 * cheaper than making a string and hashing it anew for every map it is looked up in. Each slot holds the name seen last.
 */
export class Names {
  readonly #slots: string[] = new Array(SLOTS).fill('')

  /** bytes[start, end) as a latin1 string. */
  get(bytes: Buffer, start: number, end: number): string {
    const length = end - start
    if (length > LONGEST) return bytes.toString('latin1', start, end)
    let hash = length
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    const known = this.#slots[slot]
    if (known.length === length) {
      let i = 0
      while (i < length && known.charCodeAt(i) === bytes[start + i]) i++
      if (i === length) return known
    }
    const name = bytes.toString('latin1', start, end)
    this.#slots[slot] = name
    return name
  }
}

const SLOTS = 512
const LONGEST = 64
