import type { Command, Flag, Group, Handler, KeySpec } from './command.js'

/** A row of the small families: `flags` are separated by blanks, and say of the speed what `categories` then need not. */
export function row(
  group: Group,
  name: string,
  arity: number,
  flags: string,
  keys: KeySpec,
  since: string,
  categories: readonly string[],
  summary: string,
  handler: Handler | undefined,
): Command {
  const list = flags.split(' ').filter((flag) => flag !== '') as Flag[]
  const fast = list.includes('fast')
  return {
    name,
    arity,
    flags: list,
    keys,
    since,
    group,
    summary,
    complexity: fast ? 'O(1)' : 'O(N)',
    categories: [...categories, fast ? 'fast' : 'slow'],
    handler,
  }
}
