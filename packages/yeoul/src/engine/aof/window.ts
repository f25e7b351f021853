import type { StorageFile } from '../io/storage.js'

const CHUNK = 1024 * 1024

/** A view of a file that slides forward: `bytes[at(offset)]` is the byte at `offset`, once `need` brought it in. */
export class Window {
  bytes: Buffer = Buffer.alloc(0)
  /** File offset of `bytes[0]`. */
  #from = 0
  #filled = 0

  constructor(
    readonly file: StorageFile,
    /** Bytes of the file; what lies behind is not looked at. */
    readonly size: number,
  ) {}

  at(offset: number): number {
    return offset - this.#from
  }

  /** End of what was brought in, as an index into `bytes`. */
  get end(): number {
    return this.#filled
  }

  /** Is all of the file from the window's beginning on brought in? */
  get complete(): boolean {
    return this.#from + this.#filled >= this.size
  }

  has(offset: number, length: number): boolean {
    return offset >= this.#from && offset + length <= this.#from + this.#filled
  }

  /** Brings in `[offset, offset + length)`, as far as the file goes; what lies before `offset` may be dropped. */
  async need(offset: number, length: number): Promise<void> {
    if (this.has(offset, length)) return
    const kept = offset < this.#from || offset > this.#from + this.#filled ? 0 : this.#filled - (offset - this.#from)
    const wanted = Math.min(this.size - offset, Math.max(length, CHUNK))
    if (wanted <= kept) return
    let target = this.bytes
    if (target.length < wanted) target = Buffer.allocUnsafeSlow(Math.max(wanted, CHUNK))
    if (kept > 0) this.bytes.copy(target, 0, this.#filled - kept, this.#filled)
    this.bytes = target
    this.#from = offset
    this.#filled = kept + (await this.file.read(offset + kept, target.subarray(kept, wanted)))
  }
}
