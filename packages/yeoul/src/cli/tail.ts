import type { Yeoul } from '../runtime/yeoul.js'
import { print, printable, printJson, valueText } from './output.js'

export interface TailFlags {
  json?: boolean
  from?: string
  count?: string
  follow?: boolean
}

/** Shows entries as any client wrote them, field by field; `--follow` stays. Reads without a group: nothing is consumed. */
export async function tailCommand(yeoul: Yeoul, name: string, flags: TailFlags): Promise<void> {
  const abort = new AbortController()
  const stop = () => abort.abort()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    const limit = flags.count === undefined ? undefined : Number(flags.count)
    let from = flags.from
    if (from === undefined) {
      // The last ten, as tail does; what follows starts behind the very last of them.
      const last = await yeoul.store.range(name, '-', '+', { count: limit ?? 10, reverse: true })
      for (const entry of last.reverse()) show(entry.id, entry.fields, flags)
      if (!flags.follow) return
      from = last.length > 0 ? last[last.length - 1].id : '0'
      await follow(yeoul, name, from, undefined, abort.signal, flags)
      return
    }
    const topic = yeoul.topic(name, { codec: 'bytes' })
    const messages = topic.read({ from, follow: flags.follow, count: limit, signal: abort.signal, redelivered: true })
    for await (const message of messages) {
      show(
        message.entryId,
        [...message.fields].flatMap(([field, value]) => [Buffer.from(field), value]),
        flags,
      )
    }
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}

async function follow(
  yeoul: Yeoul,
  name: string,
  after: string,
  limit: number | undefined,
  signal: AbortSignal,
  flags: TailFlags,
): Promise<void> {
  let last = after
  for (let shown = 0; !signal.aborted && shown < (limit ?? Number.POSITIVE_INFINITY); ) {
    for (const { entries } of await yeoul.store.read(new Map([[name, last]]), { count: 100, block: 1000, signal })) {
      for (const entry of entries) {
        show(entry.id, entry.fields, flags)
        last = entry.id
        shown++
      }
    }
  }
}

function show(id: string, fields: readonly Buffer[], flags: TailFlags): void {
  const at = Number(id.slice(0, id.indexOf('-')))
  if (flags.json) {
    const pairs: [string, string][] = []
    for (let i = 0; i + 1 < fields.length; i += 2) pairs.push([fields[i].toString(), valueText(fields[i + 1])])
    printJson({ id, at, fields: Object.fromEntries(pairs) })
    return
  }
  const parts: string[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) parts.push(`${fields[i].toString()}=${valueText(fields[i + 1])}`)
  print(`${new Date(at).toISOString()}  ${id}  ${printable(parts.join('  '))}`)
}
