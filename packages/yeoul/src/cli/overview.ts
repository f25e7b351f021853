import { ReadModel } from '../ops/read-model.js'
import type { Yeoul } from '../runtime/yeoul.js'
import { count, duration, print, printJson, table } from './output.js'
import { CliError } from './session.js'

export async function topicsCommand(yeoul: Yeoul, flags: { json?: boolean }): Promise<void> {
  const { topics, server } = await new ReadModel(yeoul).overview()
  if (flags.json) return printJson(topics)
  for (const warning of server.warnings) process.stderr.write(`warning: ${warning}\n`)
  if (topics.length === 0) {
    return print(
      'No topic is known here yet. A topic appears when a program of yours publishes to it or starts a worker.',
    )
  }
  print(
    table(topics, [
      { title: 'TOPIC', value: (topic) => topic.name },
      { title: 'LENGTH', value: (topic) => count(topic.length), align: 'right' },
      { title: 'ADDED', value: (topic) => count(topic.entriesAdded), align: 'right' },
      { title: 'WAITING', value: (topic) => count(topic.scheduled.waiting), align: 'right' },
      { title: 'GROUPS', value: (topic) => topic.groups.map((group) => group.name).join(', ') || '–' },
    ]),
  )
}

export async function groupsCommand(yeoul: Yeoul, topic: string | undefined, flags: { json?: boolean }): Promise<void> {
  const { topics } = await new ReadModel(yeoul).overview()
  if (topic !== undefined && !topics.some(({ name }) => name === topic)) {
    throw new CliError(
      `There is no topic '${topic}'; known are: ${topics.map(({ name }) => name).join(', ') || 'none'}.`,
    )
  }
  const rows = topics
    .filter(({ name }) => topic === undefined || name === topic)
    .flatMap(({ name, groups }) => groups.map((group) => ({ topic: name, ...group })))
  if (flags.json) return printJson(rows)
  if (rows.length === 0) return print('No group reads here yet. A group appears when its first worker starts.')
  print(
    table(rows, [
      { title: 'TOPIC', value: (row) => row.topic },
      { title: 'GROUP', value: (row) => row.name },
      { title: 'STATE', value: (row) => row.state },
      { title: 'LAG', value: (row) => count(row.lag.entries), align: 'right' },
      { title: 'BEHIND', value: (row) => duration(row.lag.seconds), align: 'right' },
      { title: 'PENDING', value: (row) => count(row.pending), align: 'right' },
      {
        title: 'OLDEST',
        value: (row) => (row.pending === 0 ? '–' : duration(row.oldestPendingSeconds)),
        align: 'right',
      },
      { title: 'DEAD', value: (row) => count(row.dead), align: 'right' },
      {
        title: 'CONSUMERS',
        value: (row) => `${row.consumers.filter(({ alive }) => alive !== false).length}/${row.consumers.length}`,
        align: 'right',
      },
    ]),
  )
}

export async function pendingCommand(
  yeoul: Yeoul,
  topic: string,
  group: string,
  flags: { json?: boolean; count?: string; consumer?: string; minIdle?: string },
): Promise<void> {
  const rows = await yeoul.store.pending(topic, group, {
    count: whole(flags.count ?? '100', '--count'),
    consumer: flags.consumer,
    minIdle: flags.minIdle === undefined ? undefined : whole(flags.minIdle, '--min-idle'),
  })
  if (flags.json) return printJson(rows)
  if (rows.length === 0) return print(`Nothing is pending in group '${group}' of '${topic}'.`)
  print(
    table(rows, [
      { title: 'ID', value: (row) => row.id },
      { title: 'CONSUMER', value: (row) => row.consumer },
      { title: 'IDLE', value: (row) => duration(row.idle / 1000), align: 'right' },
      { title: 'DELIVERIES', value: (row) => count(row.deliveries), align: 'right' },
    ]),
  )
}

export function whole(text: string, flag: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new CliError(`${flag} is a whole number, not '${text}'.`, 2)
  return value
}
