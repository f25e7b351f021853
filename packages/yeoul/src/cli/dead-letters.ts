import { createInterface } from 'node:readline/promises'
import type { DeadLetter } from '../runtime/dead-letters.js'
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
  if (flags.all === ids.length > 0) {
    throw new CliError('Name the letters to redrive by id, or all of them with --all.', 2)
  }
  const letters = lettersOf(yeoul, topic, group)
  const found: string[] = []
  if (flags.all) for await (const letter of letters.list({})) found.push(letter.id)
  else for (const id of ids) if ((await letters.show(id)) !== null) found.push(id)
  const missing = flags.all ? 0 : ids.length - found.length
  if (flags.dryRun) {
    if (flags.json) return printJson({ selected: found.length, redriven: 0, missing, dryRun: true })
    return print(`${count(found.length)} letters would go back to '${topic}', ${count(missing)} are not there.`)
  }
  if (
    found.length > 0 &&
    !flags.yes &&
    !(await confirmed(`Put ${count(found.length)} letters back into '${topic}'?`))
  ) {
    throw new CliError('Nothing was moved.')
  }
  const abort = new AbortController()
  process.once('SIGINT', () => abort.abort())
  const progress = new ProgressLine()
  const done =
    found.length === 0
      ? { redriven: 0, missing: 0 }
      : await letters.redrive({
          ids: found,
          rate: flags.rate === undefined ? undefined : whole(flags.rate, '--rate'),
          signal: abort.signal,
          onProgress: ({ redriven }) => progress.show(redriven, found.length, 'redriven'),
        })
  progress.end()
  const answer = { selected: found.length, redriven: done.redriven, missing: missing + done.missing, dryRun: false }
  if (flags.json) return printJson(answer)
  print(
    `${count(answer.redriven)} of ${count(answer.selected)} letters went back to '${topic}'${answer.missing > 0 ? `, ${count(answer.missing)} were not there` : ''}.`,
  )
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
