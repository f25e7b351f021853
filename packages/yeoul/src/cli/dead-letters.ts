import { createInterface } from 'node:readline/promises'
import type { DeadLetter, DeadLetters } from '../runtime/dead-letters.js'
import type { Yeoul } from '../runtime/yeoul.js'
import { count, ProgressLine, print, printable, printJson, table, valueText } from './output.js'
import { whole } from './overview.js'
import { CliError } from './session.js'

export interface RedriveFlags {
  json?: boolean
  all?: boolean
  rate?: string
  dryRun?: boolean
  yes?: boolean
}

export async function listDeadLetters(
  yeoul: Yeoul,
  topic: string,
  group: string,
  flags: { json?: boolean; count?: string },
): Promise<void> {
  const letters = lettersOf(yeoul, topic, group)
  const rows: DeadLetter<Buffer>[] = []
  for await (const letter of letters.list({ count: whole(flags.count ?? '100', '--count') })) rows.push(letter)
  if (flags.json) return printJson(rows.map(plain))
  if (rows.length === 0) return print(`Group '${group}' of '${topic}' has no dead letters.`)
  print(
    table(rows, [
      { title: 'LETTER', value: (letter) => letter.id },
      { title: 'MESSAGE', value: (letter) => letter.messageId },
      { title: 'REASON', value: (letter) => letter.reason },
      { title: 'ATTEMPTS', value: (letter) => count(letter.attempts), align: 'right' },
      { title: 'DIED', value: (letter) => letter.diedAt.toISOString() },
      { title: 'ERROR', value: (letter) => letter.failures.at(-1)?.message ?? '–' },
    ]),
  )
  const total = await letters.count()
  if (total > rows.length) print(`… ${count(rows.length)} of ${count(total)}; more with --count`)
}

export async function showDeadLetter(
  yeoul: Yeoul,
  topic: string,
  group: string,
  id: string,
  flags: { json?: boolean },
): Promise<void> {
  const letter = await lettersOf(yeoul, topic, group).show(id)
  if (letter === null) throw new CliError(`Group '${group}' of '${topic}' has no dead letter ${id}.`)
  if (flags.json) return printJson(plain(letter))
  print(`letter    ${letter.id}`)
  print(`message   ${letter.messageId}  published ${new Date(Number(letter.messageId.split('-')[0])).toISOString()}`)
  print(`reason    ${letter.reason} after ${letter.attempts} attempt${letter.attempts === 1 ? '' : 's'}`)
  if (letter.key !== undefined) print(`key       ${printable(letter.key)}`)
  for (const [name, value] of Object.entries(letter.headers)) print(`header    ${printable(`${name}: ${value}`)}`)
  for (const [name, value] of letter.fields) print(`field     ${printable(`${name} = ${valueText(value)}`)}`)
  for (const failure of letter.failures) {
    print(
      `attempt ${failure.attempt}  ${failure.at.toISOString()}  ${printable(failure.consumer ?? '')}  ${printable(`${failure.name}: ${failure.message}`)}`,
    )
    for (const line of (failure.stack ?? '').split('\n').slice(1)) print(`            ${printable(line.trim())}`)
  }
}

/** Shows what would move and asks, unless told `--yes`; then moves letter by letter, so that it can be stopped at any time. */
export async function redriveDeadLetters(
  yeoul: Yeoul,
  topic: string,
  group: string,
  ids: string[],
  flags: RedriveFlags,
): Promise<void> {
  const letters = lettersOf(yeoul, topic, group)
  const { selected, missing, found } = await select(letters, ids, flags)
  if (flags.dryRun) {
    if (flags.json) return printJson({ selected, redriven: 0, missing, dryRun: true })
    return print(`${count(selected)} letters would go back to '${topic}', ${count(missing)} are not there.`)
  }
  if (selected > 0) await confirm(`Put ${count(selected)} letters back into '${topic}'?`, flags)
  const abort = new AbortController()
  process.once('SIGINT', () => abort.abort())
  const progress = new ProgressLine()
  const done =
    selected === 0
      ? { redriven: 0, missing: 0 }
      : await letters.redrive({
          ...(found === undefined ? { all: true } : { ids: found }),
          rate: flags.rate === undefined ? undefined : whole(flags.rate, '--rate'),
          signal: abort.signal,
          onProgress: ({ redriven }) => progress.show(redriven, selected, 'redriven'),
        })
  progress.end()
  const answer = { selected, redriven: done.redriven, missing: missing + done.missing, dryRun: false }
  if (flags.json) return printJson(answer)
  print(
    `${count(answer.redriven)} of ${count(answer.selected)} letters went back to '${topic}'${answer.missing > 0 ? `, ${count(answer.missing)} were not there` : ''}.`,
  )
}

/** Takes letters away, after a preview; for seven days `restore` brings them back. */
export async function discardDeadLetters(
  yeoul: Yeoul,
  topic: string,
  group: string,
  ids: string[],
  flags: RedriveFlags,
): Promise<void> {
  const letters = lettersOf(yeoul, topic, group)
  const { selected, missing, found } = await select(letters, ids, flags)
  if (flags.dryRun) {
    if (flags.json) return printJson({ selected, discarded: 0, missing, dryRun: true })
    return print(`${count(selected)} letters would be discarded, ${count(missing)} are not there.`)
  }
  if (selected > 0) await confirm(`Discard ${count(selected)} letters of group '${group}'?`, flags)
  let discarded = 0
  const progress = new ProgressLine()
  for await (const some of pages(letters, found)) {
    discarded += await letters.discard(some)
    progress.show(discarded, selected, 'discarded')
  }
  progress.end()
  if (flags.json) return printJson({ selected, discarded, missing: missing + selected - discarded, dryRun: false })
  print(
    `${count(discarded)} letters discarded; \`yeoul dead-letters restore ${topic} ${group} --all\` brings them back for seven days.`,
  )
}

export async function restoreDeadLetters(
  yeoul: Yeoul,
  topic: string,
  group: string,
  ids: string[],
  flags: RedriveFlags,
): Promise<void> {
  if ((flags.all === true) === ids.length > 0)
    throw new CliError('Name the letters to restore by id, or all of them with --all.', 2)
  const letters = lettersOf(yeoul, topic, group)
  const selected: string[] = [...ids]
  if (flags.all) for await (const letter of letters.discarded({})) selected.push(letter.id)
  let restored = 0
  for (let at = 0; at < selected.length; at += PAGE) restored += await letters.restore(selected.slice(at, at + PAGE))
  if (flags.json) return printJson({ restored, missing: selected.length - restored })
  print(`${count(restored)} letters are among the dead letters of '${group}' again.`)
}

/** Letters that one call of the store moves. */
const PAGE = 500

/** What was named and is there; `found` is undefined for all, which are not held in memory. */
async function select(
  letters: DeadLetters<Buffer, Buffer>,
  ids: string[],
  flags: RedriveFlags,
): Promise<{ selected: number; missing: number; found: string[] | undefined }> {
  if ((flags.all === true) === ids.length > 0)
    throw new CliError('Name the letters by id, or all of them with --all.', 2)
  if (flags.all) return { selected: await letters.count(), missing: 0, found: undefined }
  const found: string[] = []
  for (const id of ids) if ((await letters.show(id)) !== null) found.push(id)
  return { selected: found.length, missing: ids.length - found.length, found }
}

/** The letters there are now, in pages: what comes after the last one of today stays. */
async function* pages(letters: DeadLetters<Buffer, Buffer>, found: string[] | undefined): AsyncGenerator<string[]> {
  if (found !== undefined) {
    for (let at = 0; at < found.length; at += PAGE) yield found.slice(at, at + PAGE)
    return
  }
  let left = await letters.count()
  while (left > 0) {
    const page: string[] = []
    for await (const letter of letters.list({ count: Math.min(PAGE, left) })) page.push(letter.id)
    if (page.length === 0) return
    left -= page.length
    yield page
  }
}

async function confirm(question: string, flags: RedriveFlags): Promise<void> {
  if (flags.yes || (await confirmed(question))) return
  throw new CliError('Nothing was changed.')
}

async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new CliError(`${question} Say --yes, or --dry-run to see what would happen.`, 2)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim())
  } finally {
    terminal.close()
  }
}

function lettersOf(yeoul: Yeoul, topic: string, group: string) {
  return yeoul.topic(topic, { codec: 'bytes' }).deadLetters(group)
}

function plain(letter: DeadLetter<Buffer>) {
  const { id, messageId, topic, group, reason, attempts, diedAt, key, headers, failures, redriven } = letter
  return {
    id,
    messageId,
    topic,
    group,
    reason,
    attempts,
    diedAt,
    key,
    headers,
    failures,
    redriven,
    fields: Object.fromEntries([...letter.fields].map(([name, value]) => [name, valueText(value)])),
  }
}
