import type { GroupAccount, MessageAccount } from '../runtime/verification.js'
import type { Yeoul } from '../runtime/yeoul.js'
import { count, ProgressLine, print, printable, printJson, table } from './output.js'
import { CliError } from './session.js'

export interface VerifyFlags {
  group?: string
  all?: boolean
  json?: boolean
}

/** Prints the account of a topic; fails when a message is missing, so that a script or a monitor notices. */
export async function verifyCommand(yeoul: Yeoul, topic: string, ids: string[], flags: VerifyFlags): Promise<void> {
  const abort = new AbortController()
  process.once('SIGINT', () => abort.abort())
  const progress = new ProgressLine()
  const verification = await yeoul.verify(topic, {
    group: flags.group,
    ids,
    signal: abort.signal,
    onProgress: (looked, total) => progress.show(looked, total, 'entries'),
    onAccount: flags.all
      ? (group, account) => (flags.json ? printJson({ group, ...account }) : print(line(group, account)))
      : undefined,
  })
  progress.end()
  const { entries, groups, notes, complete } = verification
  const missing = groups.reduce((sum, { counts }) => sum + counts.missing, 0)
  if (flags.json) {
    printJson(verification)
  } else {
    print(
      `${printable(topic)}: ${count(entries.length)} entries of ${count(entries.added)} ever added, ${count(entries.trimmed)} trimmed, ${count(entries.removedOtherwise)} removed by others`,
    )
    for (const note of notes) print(note)
    if (groups.length === 0) print('No group reads this topic yet.')
    else print(groupTable(groups))
    for (const group of groups) {
      for (const note of group.notes) print(`${printable(group.group)}: ${note}`)
      for (const [i, account] of group.asked.entries()) {
        print(account === null ? `${printable(group.group)}  ${ids[i]}  no trace of it` : line(group.group, account))
      }
      for (const account of group.missing) print(line(group.group, account))
    }
    if (!complete) print('Interrupted: the counts are those of the part that was read.')
  }
  if (missing > 0) throw new CliError(`${count(missing)} ${missing === 1 ? 'message is' : 'messages are'} missing.`)
}

function groupTable(groups: readonly GroupAccount[]): string {
  const column = (title: string, value: (group: GroupAccount) => number) => ({
    title,
    value: (group: GroupAccount) => count(value(group)),
    align: 'right' as const,
  })
  return table(groups, [
    { title: 'GROUP', value: ({ group }) => group },
    column('WAITING', ({ counts }) => counts.waiting),
    column('DELAYED', ({ counts }) => counts.delayed),
    column('PENDING', ({ counts }) => counts.pending),
    column('ACKNOWLEDGED', ({ counts }) => counts.acknowledged),
    column('DEAD', ({ counts }) => counts.dead),
    column('EXPIRED', ({ counts }) => counts.expired),
    column('MISSING', ({ counts }) => counts.missing),
  ])
}

function line(group: string, { id, state, entryId, consumer, since, attempt, due }: MessageAccount): string {
  const details = [
    entryId !== undefined && entryId !== id ? `at ${entryId}` : undefined,
    consumer !== undefined ? `by ${consumer}` : undefined,
    since !== undefined ? `since ${new Date(since).toISOString()}` : undefined,
    due !== undefined ? `due ${new Date(due).toISOString()}` : undefined,
    attempt !== undefined ? `attempt ${attempt}` : undefined,
  ].filter((detail) => detail !== undefined)
  return printable([group, id, state, ...details].join('  '))
}
