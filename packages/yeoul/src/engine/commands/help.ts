import type { Call, Command, Group } from './command.js'

/** The ACL category of a family whose HELP belongs to it as well. */
const HELP_CATEGORY: Readonly<Record<string, string | undefined>> = {
  xgroup: 'stream',
  xinfo: 'stream',
  object: 'keyspace',
  function: 'scripting',
  client: 'connection',
  command: 'connection',
}

/** The HELP subcommand of a container command: `lines` name a form, then what it does, indented. */
export function help(parent: string, group: Group, since: string, lines: readonly string[]): Command {
  const text = [
    `${parent.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ...lines,
    'HELP',
    '    Print this help.',
  ]
  return {
    name: 'help',
    arity: 2,
    flags: ['loading', 'stale'],
    keys: null,
    since,
    group,
    summary: 'Returns helpful text about the different subcommands.',
    complexity: 'O(1)',
    categories: HELP_CATEGORY[parent] === undefined ? ['slow'] : ['slow', HELP_CATEGORY[parent]],
    handler: ({ reply }: Call) => {
      reply.array(text.length)
      for (const line of text) reply.simple(line)
    },
  }
}
