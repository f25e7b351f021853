import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { backupCommand } from './backup.js'
import { checkAofCommand } from './check-aof.js'
import {
  discardDeadLetters,
  listDeadLetters,
  redriveDeadLetters,
  restoreDeadLetters,
  showDeadLetter,
} from './dead-letters.js'
import { groupsCommand, pendingCommand, topicsCommand } from './overview.js'
import { publishCommand } from './publish.js'
import { serveCommand } from './serve.js'
import { CliError, DEFAULT_URL, withYeoul } from './session.js'
import { tailCommand } from './tail.js'
import { verifyCommand } from './verify.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const program = new Command('yeoul')
  .description('Reliable asynchronous processing on Redis Streams: embedded, or on Redis and Valkey.')
  .version(version)
  .option('--url <url>', `redis://… or file:… to work on (default: YEOUL_URL, else ${DEFAULT_URL})`)
  .showHelpAfterError('(yeoul --help shows what there is)')
  .exitOverride()

const url = () => program.opts<{ url?: string }>().url

program.addCommand(serveCommand())

program
  .command('publish')
  .description('publish one message, or with `-` every line of standard input')
  .argument('<topic>')
  .argument('<payload>', 'JSON, or `-`')
  .option('--key <key>', 'the key: messages of one key keep their order')
  .option('--delay <duration>', 'publish later, for example 5m')
  .option('--dedupe <id>', 'publish once: the same id again changes nothing')
  .option(
    '--header <name=value>',
    'a header; may be given again',
    (value: string, all: string[]) => [...all, value],
    [],
  )
  .option('--codec <codec>', 'json or text', choice('--codec', ['json', 'text']), 'json')
  .option('--json', 'print what the runtime answers as JSON')
  .action((topic, payload, flags) => withYeoul(url(), (yeoul) => publishCommand(yeoul, topic, payload, flags)))

program
  .command('tail')
  .description('show entries as they are in the stream; consumes nothing')
  .argument('<topic>')
  .option('-f, --follow', 'stay and show what comes')
  .option('--from <position>', 'an entry id, 0, $, or a time ago such as -1h (default: the last ten)')
  .option('-n, --count <n>', 'at most so many')
  .option('--json', 'one JSON object a line')
  .action((topic, flags) => withYeoul(url(), (yeoul) => tailCommand(yeoul, topic, flags)))

program
  .command('topics')
  .description('topics, their length, what waits, who reads')
  .option('--json', 'as JSON')
  .action((flags) => withYeoul(url(), (yeoul) => topicsCommand(yeoul, flags)))

program
  .command('groups')
  .description('groups with state, lag, pending and dead letters')
  .argument('[topic]')
  .option('--json', 'as JSON')
  .action((topic, flags) => withYeoul(url(), (yeoul) => groupsCommand(yeoul, topic, flags)))

program
  .command('pending')
  .description('deliveries of a group that are not acknowledged yet')
  .argument('<topic>')
  .argument('<group>')
  .option('-n, --count <n>', 'at most so many', '100')
  .option('--consumer <name>', 'of one consumer')
  .option('--min-idle <ms>', 'idle for at least so long')
  .option('--json', 'as JSON')
  .action((topic, group, flags) => withYeoul(url(), (yeoul) => pendingCommand(yeoul, topic, group, flags)))

program
  .command('verify')
  .description('account for every message of a topic; exit status 1 when one is missing')
  .argument('<topic>')
  .argument('[ids...]', 'messages to be told of one by one')
  .option('--group <group>', 'one group only')
  .option('--all', 'one line a message')
  .option('--json', 'as JSON; with --all one object a line')
  .action((topic, ids, flags) => withYeoul(url(), (yeoul) => verifyCommand(yeoul, topic, ids, flags)))

const deadLetters = program.command('dead-letters').description('messages that were put aside after their last attempt')

deadLetters
  .command('list')
  .argument('<topic>')
  .argument('<group>')
  .option('-n, --count <n>', 'at most so many', '100')
  .option('--json', 'as JSON')
  .action((topic, group, flags) => withYeoul(url(), (yeoul) => listDeadLetters(yeoul, topic, group, flags)))

deadLetters
  .command('show')
  .description('everything that is known of one letter')
  .argument('<topic>')
  .argument('<group>')
  .argument('<id>', 'of the letter, as `list` shows it')
  .option('--json', 'as JSON')
  .action((topic, group, id, flags) => withYeoul(url(), (yeoul) => showDeadLetter(yeoul, topic, group, id, flags)))

deadLetters
  .command('redrive')
  .description('put letters back into their topic')
  .argument('<topic>')
  .argument('<group>')
  .argument('[ids...]')
  .option('--all', 'all letters of the group')
  .option('--rate <n>', 'at most so many a second')
  .option('--dry-run', 'say what would move, move nothing')
  .option('-y, --yes', 'do not ask')
  .option('--json', 'as JSON')
  .action((topic, group, ids, flags) =>
    withYeoul(url(), (yeoul) => redriveDeadLetters(yeoul, topic, group, ids, flags)),
  )

deadLetters
  .command('discard')
  .description('take letters away; for seven days `restore` brings them back')
  .argument('<topic>')
  .argument('<group>')
  .argument('[ids...]')
  .option('--all', 'all letters of the group')
  .option('--dry-run', 'say what would go, take nothing away')
  .option('-y, --yes', 'do not ask')
  .option('--json', 'as JSON')
  .action((topic, group, ids, flags) =>
    withYeoul(url(), (yeoul) => discardDeadLetters(yeoul, topic, group, ids, flags)),
  )

deadLetters
  .command('restore')
  .description('bring back what was discarded within seven days')
  .argument('<topic>')
  .argument('<group>')
  .argument('[ids...]')
  .option('--all', 'everything that can be brought back')
  .option('--json', 'as JSON')
  .action((topic, group, ids, flags) =>
    withYeoul(url(), (yeoul) => restoreDeadLetters(yeoul, topic, group, ids, flags)),
  )

program
  .command('check-aof')
  .description('read the log of a data directory and say what is damaged, with byte offsets')
  .argument('<dir>', 'the data directory, with nobody working on it')
  .option('--fix', 'cut at the first bad byte; what is taken off is kept beside the log')
  .option('--json', 'as JSON')
  .action((directory, flags) => checkAofCommand(directory, flags))

program
  .command('backup')
  .description(
    'copy the log of a data directory, also while a server or an application works on it, and verify the copy',
  )
  .argument('<dir>', 'the data directory')
  .requiredOption('--to <dir>', 'where the copy goes: empty, or not there yet')
  .option('--json', 'as JSON')
  .action((directory, flags) => backupCommand(directory, flags))

function choice(flag: string, allowed: string[]) {
  return (value: string) => {
    if (!allowed.includes(value)) throw new CliError(`${flag} is one of ${allowed.join(', ')}, not '${value}'.`, 2)
    return value
  }
}

// `yeoul tail … | head` closes our output early: that is an end, not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else if (error instanceof CliError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = error.status
  } else {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
}
