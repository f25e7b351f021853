import { parseCommand } from './aof/command.js'
import type { EffectSink } from './aof/effect-buffer.js'
import { Request } from './resp/request.js'

/**
 * Effects that servers older than the one announced do not know. A server that finds an unknown command in its log does
 * not start; so such an effect is logged as the argument of ECHO, which every server takes and none acts upon:
 *
 *     *2 $4 ECHO $n *5 $11 XIDMPRECORD $… key $… producer $… idempotent ID $… entry ID
 *
 * Only a whole command in RESP counts as one; any other ECHO stays what it is. See docs/decisions/newer-effects.md.
 */
export function logNewer(sink: EffectSink, database: number, ...args: (string | number)[]): void {
  let command = `*${args.length}\r\n`
  for (const arg of args) command += `$${String(arg).length}\r\n${arg}\r\n`
  sink.effect(database, 'ECHO', command)
}

const inner = new Request()

/** The effect inside an ECHO; undefined when the request is none. Valid until the next call. */
export function newerEffect(request: Request): Request | undefined {
  if (request.count !== 2 || !request.is(0, 'ECHO')) return undefined
  const end = request.end(1)
  return parseCommand(request.bytes, request.start(1), end, inner) === end ? inner : undefined
}
