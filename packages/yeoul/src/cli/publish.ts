import type { Yeoul } from '../runtime/yeoul.js'
import { ProgressLine, print, printJson } from './output.js'
import { CliError } from './session.js'

export interface PublishFlags {
  json?: boolean
  key?: string
  delay?: string
  dedupe?: string
  header?: string[]
  codec?: 'json' | 'text'
}

/** Publishes one value, or with `-` every line of standard input. */
export async function publishCommand(yeoul: Yeoul, name: string, payload: string, flags: PublishFlags): Promise<void> {
  const topic =
    flags.codec === 'text' ? yeoul.topic(name, { codec: 'text' }) : yeoul.topic<unknown>(name, { codec: 'json' })
  const options = {
    key: flags.key,
    delay: flags.delay as `${number}s` | undefined,
    dedupe: flags.dedupe,
    headers: headers(flags.header ?? []),
  }
  if (payload !== '-') {
    const published = await topic.publish(decode(payload, flags) as string, options)
    if (flags.json) printJson(published)
    else print(published.duplicate ? `${published.id} (published before)` : published.id)
    return
  }
  if (flags.dedupe !== undefined) throw new CliError('--dedupe names one message; it cannot go with `-`.', 2)
  const progress = new ProgressLine()
  let published = 0
  let batch: string[] = []
  const flush = async () => {
    const answers = await topic.publishMany(batch as never[], options)
    if (flags.json) for (const answer of answers) printJson(answer)
    published += answers.length
    batch = []
    progress.show(published, null, 'published')
  }
  for await (const line of lines(process.stdin)) {
    if (line === '') continue
    batch.push(decode(line, flags) as string)
    if (batch.length === 500) await flush()
  }
  if (batch.length > 0) await flush()
  progress.end()
  if (!flags.json) print(`${published} published`)
}

function decode(text: string, flags: PublishFlags): unknown {
  if (flags.codec === 'text') return text
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CliError(
      `The payload is not JSON (${error instanceof Error ? error.message : error}): quote it for the shell, or use --codec text.`,
      2,
    )
  }
}

function headers(pairs: readonly string[]): Record<string, string> | undefined {
  if (pairs.length === 0) return undefined
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new CliError(`A header is NAME=VALUE, not '${pair}'.`, 2)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

async function* lines(input: NodeJS.ReadStream): AsyncGenerator<string> {
  let rest = ''
  input.setEncoding('utf8')
  for await (const chunk of input) {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop()!
    for (const part of parts) yield part.replace(/\r$/, '')
  }
  if (rest !== '') yield rest
}
