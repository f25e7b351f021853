import type { Call, Command, Group } from './command.js'

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
    categories: ['slow'],
    handler: ({ reply }: Call) => {
      reply.array(text.length)
      for (const line of text) reply.simple(line)
    },
  }
}
