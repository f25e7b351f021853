import type { Request } from '../resp/request.js'
import type { Command } from './command.js'

/** A row, and under which names it is known. */
export interface Found {
  readonly command: Command
  /** The container command of a subcommand. */
  readonly parent: Command | undefined
  /** `xadd`, `xgroup|create`. */
  readonly fullName: string
  readonly write: boolean
  readonly denyoom: boolean
}

/**
 * Finds the row of a request by the bytes of its first word, without making a string of them: an open hash table of
 * the names, compared whatever the case.
 */
export class CommandTable {
  /** By lower-case name. */
  readonly rows: ReadonlyMap<string, Command>
  readonly #slots: (Found | undefined)[]
  readonly #mask: number
  readonly #subcommands = new Map<Command, Map<string, Found>>()

  constructor(commands: readonly Command[]) {
    this.rows = new Map(commands.map((command) => [command.name, command]))
    if (this.rows.size !== commands.length) throw new Error('a command stands twice in the table')
    let size = 256
    while (size < commands.length * 4) size *= 2
    this.#slots = new Array(size).fill(undefined)
    this.#mask = size - 1
    for (const command of commands) {
      let slot = hashOf(command.name) & this.#mask
      while (this.#slots[slot] !== undefined) slot = (slot + 1) & this.#mask
      this.#slots[slot] = found(command, undefined)
      if (command.subcommands === undefined) continue
      this.#subcommands.set(command, new Map(command.subcommands.map((row) => [row.name, found(row, command)])))
    }
  }

  /** The row of the first word; of a container command without its subcommand. */
  find(request: Request): Found | undefined {
    const { bytes } = request
    const start = request.start(0)
    const end = request.end(0)
    let hash = 0
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + (bytes[i] | 32)) | 0
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = this.#slots[slot]
      if (entry === undefined) return undefined
      const { name } = entry.command
      if (name.length !== end - start) continue
      let i = 0
      while (i < name.length && lower(bytes[start + i]) === name.charCodeAt(i)) i++
      if (i === name.length) return entry
    }
  }

  /** The row of the second word of a container command. */
  subcommand(parent: Command, name: string): Found | undefined {
    return this.#subcommands.get(parent)?.get(name)
  }
}

function found(command: Command, parent: Command | undefined): Found {
  return {
    command,
    parent,
    fullName: parent === undefined ? command.name : `${parent.name}|${command.name}`,
    write: command.flags.includes('write'),
    denyoom: command.flags.includes('denyoom'),
  }
}

function hashOf(name: string): number {
  let hash = 0
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + (name.charCodeAt(i) | 32)) | 0
  return hash
}

function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte
}
