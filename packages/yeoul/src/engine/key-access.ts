import type { Request } from './resp/request.js'

/**
 * What a command does with a key, as COMMAND INFO says it: RO, RW, OW (overwritten unseen) or RM, and which of `access`
 * (its data is given or copied), `insert`, `update`, `delete` happens. Without any of these only what is known about the
 * key is told (its length, its type).
 */
export type KeyFlags = readonly string[]

const READ: KeyFlags = ['RO', 'access']
const WRITE: KeyFlags = ['RW', 'update']
const ABOUT: KeyFlags = ['RO']
const OVERWRITE: KeyFlags = ['OW', 'update']
const INSERT: KeyFlags = ['RW', 'insert']
const DELETE: KeyFlags = ['RW', 'delete']
const CHANGE: KeyFlags = ['RW', 'access', 'update']
const TAKE: KeyFlags = ['RW', 'access', 'delete']

/** Where it is not READ of a reading and WRITE of a writing command; several: of its keys, in order. */
const OTHERWISE: readonly (readonly [commands: string, flags: readonly KeyFlags[]])[] = [
  ['exists type touch watch strlen hlen hstrlen hexists xlen zcard memory|usage', [ABOUT]],
  ['object|encoding object|freq object|idletime object|refcount', [ABOUT]],
  ['xreadgroup', [READ]],
  ['psetex setex mset', [OVERWRITE]],
  ['setnx msetnx', [['OW', 'insert']]],
  ['append hsetnx xgroup|create xgroup|createconsumer', [INSERT]],
  ['xdel xdelex xtrim xackdel xautoclaim xgroup|destroy xgroup|delconsumer hdel zrem', [DELETE]],
  ['zremrangebyrank zremrangebyscore zremrangebylex', [DELETE]],
  ['del unlink', [['RM', 'delete']]],
  ['incr decr incrby decrby incrbyfloat hincrby hincrbyfloat zincrby getset getex set move', [CHANGE]],
  ['getdel zpopmin zpopmax', [TAKE]],
  ['rename', [TAKE, OVERWRITE]],
  ['renamenx', [TAKE, ['OW', 'insert']]],
  ['copy', [READ, OVERWRITE]],
  ['zrangestore', [OVERWRITE, READ]],
  ['fcall', [CHANGE]],
]

const byName = new Map(
  OTHERWISE.flatMap(([commands, flags]) => commands.split(' ').map((name) => [name, flags] as const)),
)

/** The flags of a command's keys, in order; the last ones hold for all that follow. */
export function keyFlags(fullName: string, write: boolean): readonly KeyFlags[] {
  return byName.get(fullName) ?? (write ? [WRITE] : [READ])
}

/** What key number `i` of a request needs the right to. */
export function keyAccess(
  fullName: string,
  write: boolean,
  i: number,
  request: Request,
): { read: boolean; write: boolean } {
  const all = keyFlags(fullName, write)
  const flags = all[Math.min(i, all.length - 1)]
  let read = flags.includes('access')
  // SET gives the old value only when asked to.
  if (fullName === 'set') read = hasWord(request, 'GET', 3)
  return { read, write: flags.includes('insert') || flags.includes('update') || flags.includes('delete') }
}

function hasWord(request: Request, word: string, from: number): boolean {
  for (let i = from; i < request.count; i++) if (request.is(i, word)) return true
  return false
}
