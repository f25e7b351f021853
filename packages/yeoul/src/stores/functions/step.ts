/**
 * One atomic step that runs inside the server: as a Redis Function (`FCALL name numkeys key… arg…`), or, where functions
 * are missing, as a script of the same body. The engine has the same names built in. Arguments are built from named fields
 * beside the Lua that reads them, and the answer is read there as well.
 *
 * Rules for the Lua: work is bounded by the arguments (never by what the stream holds); checks come before the first
 * write, because a script that raises an error does not undo what it wrote.
 */
export interface Step<Input, Output> {
  readonly name: string
  /** Runs where memory is exhausted: steps that only acknowledge, claim or remove must, or nothing would ever free memory. */
  readonly allowOom?: boolean
  /** Writes nothing. */
  readonly readOnly?: boolean
  /** The answer carries entries: bulk strings come as Buffer. */
  readonly binary?: boolean
  /** Body of a Lua function of `keys` and `args`. */
  readonly lua: string
  /** All of one cluster slot; the first one routes the call. */
  keys(input: Input): string[]
  args(input: Input): Argument[]
  answer(reply: Reply, input: Input): Output
}

/** What runs a step needs no types of: the name, the source, the flags. */
export type AnyStep = Pick<Step<never, unknown>, 'name' | 'allowOom' | 'readOnly' | 'binary' | 'lua'>

export type Argument = string | Buffer

/** A reply as node-redis decodes it. Errors inside arrays come as values. */
export type Reply = null | number | string | Buffer | Error | Reply[]
