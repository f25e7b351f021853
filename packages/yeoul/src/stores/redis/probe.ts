import { StoreError, type StoreFacts } from '../../runtime/store.js'
import type { Link } from './link.js'

/** The oldest server with what is needed: XAUTOCLAIM, XPENDING IDLE, XTRIM MINID. */
const oldest = [6, 2]

/** Asks the server what it is (R22). Rejects when it is too old. */
export async function probe(link: Link): Promise<StoreFacts & { functions: boolean; clusterNode: boolean }> {
  const info = parseInfo((await link.send(undefined, ['INFO'], { write: false })) as string)
  const kind = info.yeoul_version ? 'yeoul' : info.valkey_version ? 'valkey' : 'redis'
  const version = info.yeoul_version ?? info.valkey_version ?? info.redis_version ?? '0'
  const [major, minor] = (info.redis_version ?? version).split('.').map(Number)
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
    throw new StoreError('REFUSED', `${link.address} is ${kind} ${version}; 6.2 or newer is needed`, 'none')
  }
  const warnings: string[] = []
  const appendOnly = info.aof_enabled === '1'
  const snapshots = (await setting(link, 'save')) !== ''
  const fsync = appendOnly ? await setting(link, 'appendfsync') : undefined
  if (!appendOnly) {
    warnings.push(
      snapshots
        ? 'The server only takes snapshots: what was written since the last one is lost when it stops. Set `appendonly yes`.'
        : 'The server keeps nothing on disk: everything is lost when it stops. Set `appendonly yes`.',
    )
  }
  const policy = info.maxmemory_policy ?? 'noeviction'
  if (Number(info.maxmemory ?? 0) > 0 && policy !== 'noeviction') {
    warnings.push(
      policy.startsWith('allkeys')
        ? `The server evicts any key when memory is full (maxmemory-policy ${policy}), whole streams with it. Set \`maxmemory-policy noeviction\`.`
        : `The server evicts keys that expire when memory is full (maxmemory-policy ${policy}), so a repeated publish could pass as a new one. Set \`maxmemory-policy noeviction\`.`,
    )
  }
  if (info.role === 'slave') warnings.push('The server is a replica: it takes no writes. Connect to its primary.')
  return {
    kind,
    version,
    cluster: link.cluster,
    durability: !appendOnly ? 'memory' : fsync === 'always' || fsync === 'everysec' ? fsync : 'unknown',
    warnings,
    functions: major >= 7,
    clusterNode: info.redis_mode === 'cluster' || info.cluster_enabled === '1',
  }
}

/** Undefined when the server does not tell (CONFIG is often forbidden on hosted servers). */
async function setting(link: Link, name: string): Promise<string | undefined> {
  try {
    const reply = await link.send(undefined, ['CONFIG', 'GET', name], { write: false })
    return (reply as string[])[1]
  } catch (error) {
    if (error instanceof StoreError && (error.code === 'REFUSED' || error.code === 'UNAUTHORIZED')) return undefined
    throw error
  }
}

function parseInfo(text: string): Record<string, string | undefined> {
  const info: Record<string, string> = {}
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0 && line[0] !== '#') info[line.slice(0, colon)] = line.slice(colon + 1)
  }
  return info
}
