const SECTOR = 512

interface Write {
  kind: 'write'
  position: number
  bytes: Buffer
  state: State
}

interface Truncate {
  kind: 'truncate'
  length: number
  state: State
}

/**
 * pending: no datasync covers it yet. synced: the medium has it. forgotten: a datasync that should have covered it
 * failed, so no later one brings it to the medium; it survives a crash by luck only, unless it is written again.
 */
type State = 'pending' | 'synced' | 'forgotten'

type Change = Write | Truncate

/** One file of MemoryStorage: what readers see, and what the medium would show after a crash. */
export class MemoryContent {
  /** What the medium has in any case. */
  #medium: Buffer
  /** Changes since, in order. */
  #changes: Change[] = []
  #memory: Buffer
  #length: number
  /** Length of the front that is on the medium, for crashes that keep a front. */
  #synced: number
  #forgotten: { from: number; to: number } | undefined

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#memory = Buffer.from(bytes)
    this.#length = this.#synced = bytes.length
    this.#medium = Buffer.from(bytes)
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length)
  }

  get synced(): number {
    return this.#synced
  }

  clone(): MemoryContent {
    const copy = new MemoryContent(this.bytes)
    copy.#medium = this.#medium
    copy.#changes = this.#changes.map((change) => ({ ...change }))
    copy.#synced = this.#synced
    copy.#forgotten = this.#forgotten
    return copy
  }

  write(position: number, bytes: Buffer): void {
    const end = position + bytes.length
    // What is written over itself is on the medium still.
    let same = 0
    const known = Math.min(bytes.length, this.#synced - position)
    while (same < known && bytes[same] === this.#memory[position + same]) same++
    this.#synced = Math.min(this.#synced, position + same)
    if (end > this.#memory.length) {
      const larger = Buffer.alloc(Math.max(end, this.#memory.length * 2))
      this.bytes.copy(larger)
      this.#memory = larger
    }
    if (position > this.#length) this.#memory.fill(0, this.#length, position)
    bytes.copy(this.#memory, position)
    this.#length = Math.max(this.#length, end)
    const forgotten = this.#forgotten
    if (forgotten !== undefined && position <= forgotten.from && end > forgotten.from) {
      this.#forgotten = end < forgotten.to ? { from: end, to: forgotten.to } : undefined
    }
    // Sectors reach the medium as a whole: with what stood in them when they were written.
    const from = position - (position % SECTOR)
    const to = Math.min(this.#length, Math.ceil(end / SECTOR) * SECTOR)
    const sectors = Buffer.from(this.#memory.subarray(from, to))
    this.#changes.push({ kind: 'write', position: from, bytes: sectors, state: 'pending' })
  }

  truncate(length: number): void {
    if (length > this.#length) this.write(this.#length, Buffer.alloc(length - this.#length))
    this.#length = length
    this.#synced = Math.min(this.#synced, length)
    if (this.#forgotten !== undefined && length <= this.#forgotten.from) this.#forgotten = undefined
    this.#changes.push({ kind: 'truncate', length, state: 'pending' })
  }

  /** What a datasync that begins now covers. */
  mark(): { changes: Change[]; length: number } {
    return { changes: this.#changes.filter((change) => change.state === 'pending'), length: this.#length }
  }

  sync({ changes, length }: { changes: Change[]; length: number }): void {
    for (const change of changes) change.state = 'synced'
    this.#synced = Math.max(this.#synced, Math.min(this.#forgotten?.from ?? length, length, this.#length))
    // What stands before the first change that the medium may lack is settled.
    while (this.#changes[0]?.state === 'synced') this.#medium = apply(this.#medium, this.#changes.shift() as Change)
  }

  forget({ changes, length }: { changes: Change[]; length: number }): void {
    for (const change of changes) change.state = 'forgotten'
    if (length > this.#synced) this.#forgotten = { from: this.#synced, to: length }
  }

  /** A crash that keeps the synced bytes and so many behind them. */
  cut(keep: number): void {
    this.#become(Buffer.from(this.bytes.subarray(0, this.#synced + keep)))
  }

  /** A crash that keeps some sectors of what is unsynced, in some order. */
  scatter(random: (below: number) => number, misdirect: boolean): void {
    let medium = this.#medium
    const pending: Change[] = []
    for (const change of this.#changes) {
      if (change.state === 'synced') medium = apply(medium, change)
      else if (change.state === 'pending') pending.push(...split(change))
      else for (const piece of split(change)) if (random(2) === 0) medium = apply(medium, piece)
    }
    const mode = (['none', 'all', 'torn', 'some', 'some'] as const)[random(5)]
    if (mode === 'torn' && pending.length > 0) {
      // In order up to somewhere within one of them.
      pending.length = 1 + random(pending.length)
      const last = pending[pending.length - 1]
      if (last.kind === 'write') last.bytes = last.bytes.subarray(0, random(last.bytes.length + 1))
    } else if (mode === 'none') pending.length = 0
    if (mode === 'some') shuffle(pending, random)
    if (misdirect) exchange(pending, medium.length, random)
    for (const piece of pending) if (mode !== 'some' || random(3) > 0) medium = apply(medium, piece)
    this.#become(medium)
  }

  #become(bytes: Buffer): void {
    this.#memory = Buffer.from(bytes)
    this.#medium = bytes
    this.#length = this.#synced = bytes.length
    this.#changes = []
    this.#forgotten = undefined
  }
}

function apply(bytes: Buffer, change: Change): Buffer {
  if (change.kind === 'truncate') {
    if (change.length <= bytes.length) return bytes.subarray(0, change.length)
    return Buffer.concat([bytes, Buffer.alloc(change.length - bytes.length)])
  }
  if (change.bytes.length === 0) return bytes
  const result = Buffer.alloc(Math.max(bytes.length, change.position + change.bytes.length))
  bytes.copy(result)
  change.bytes.copy(result, change.position)
  return result
}

/** A write as its sectors. */
function split(change: Change): Change[] {
  if (change.kind === 'truncate') return [{ ...change }]
  const pieces: Change[] = []
  for (let at = 0; at < change.bytes.length; ) {
    const position = change.position + at
    const end = Math.min(change.bytes.length, at + SECTOR - (position % SECTOR))
    pieces.push({ kind: 'write', position, bytes: change.bytes.subarray(at, end), state: change.state })
    at = end
  }
  return pieces
}

function shuffle(changes: Change[], random: (below: number) => number): void {
  for (let i = changes.length - 1; i > 0; i--) {
    const other = random(i + 1)
    ;[changes[i], changes[other]] = [changes[other], changes[i]]
  }
}

/** A sector goes where another one belongs, whose own content is lost. What the medium has is not hit. */
function exchange(changes: Change[], synced: number, random: (below: number) => number): void {
  const writes = changes.filter((change) => change.kind === 'write')
  const targets = writes.filter(({ position }) => position >= synced)
  if (writes.length < 2 || targets.length === 0) return
  const from = writes[random(writes.length)]
  const to = targets[random(targets.length)]
  to.bytes = from.bytes.subarray(0, to.bytes.length)
}
