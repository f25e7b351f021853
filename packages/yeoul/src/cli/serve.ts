import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { parseMemory } from '../engine/config.js'
import { Engine } from '../engine/engine.js'
import { YEOUL_VERSION } from '../engine/version.js'
import { listen, type RespServer } from '../server/server.js'
import { CliError } from './session.js'

export interface ServeOptions {
  port: number
  host: string
  dir: string
  /** false: in memory only. */
  appendonly: boolean
  appendfsync: 'always' | 'everysec' | 'no'
  requirepass?: string
  maxclients?: number
  /** Bytes of keys and values; 0 = no limit. */
  maxmemory?: number
  /** Seconds after which an idle peer is closed. */
  timeout?: number
  tcpKeepalive?: number
  protectedMode?: boolean
  tlsCertFile?: string
  tlsKeyFile?: string
  /** With it, peers must show a certificate of this authority. */
  tlsCaCertFile?: string
  /** The ready line as one JSON object. */
  json?: boolean
}

/**
 * Runs a server until SIGTERM, SIGINT or SHUTDOWN ends it; resolves once everything is on disk and closed. Prints one
 * line `ready …` when connections are accepted. Rejects with one sentence when it cannot start.
 */
export async function serve(options: ServeOptions): Promise<void> {
  let stop = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  // Installed before anything is opened: a signal during a long load must not leave a half-open directory.
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  try {
    const engine = await openEngine(options)
    try {
      const server = await openServer(engine, options, stop)
      try {
        process.stdout.write(`${readyLine(server, options)}\n`)
        await stopped
      } finally {
        await server.close()
      }
    } finally {
      await engine.close()
    }
  } finally {
    process.off('SIGTERM', stop)
    process.off('SIGINT', stop)
  }
}

async function openEngine(options: ServeOptions): Promise<Engine> {
  const { dir, appendonly, appendfsync } = options
  let shownAt = performance.now()
  try {
    return await Engine.open({
      directory: appendonly ? dir : undefined,
      appendfsync,
      progress: ({ bytes, total, effects }) => {
        const now = performance.now()
        if (now - shownAt < 1000) return
        shownAt = now
        const percent = total === 0 ? 100 : Math.floor((bytes / total) * 100)
        process.stderr.write(`loading ${dir}: ${percent} % (${effects} effects)\n`)
      },
    })
  } catch (error) {
    throw explained(error, {
      EACCES: `The directory ${dir} cannot be written by this user; choose another with --dir.`,
      EROFS: `The directory ${dir} is on a read-only file system; choose another with --dir.`,
      ENOTDIR: `${dir} is not a directory; choose another with --dir.`,
      EEXIST: `${dir} is not a directory; choose another with --dir.`,
      ENOSPC: `No space is left for the directory ${dir}.`,
    })
  }
}

async function openServer(engine: Engine, options: ServeOptions, onShutdown: () => void): Promise<RespServer> {
  const { host, port } = options
  if (options.maxmemory !== undefined) engine.config.set([['maxmemory', String(options.maxmemory)]])
  try {
    return await listen(engine, { ...options, tls: certificate(options), onShutdown })
  } catch (error) {
    throw explained(error, {
      EADDRINUSE: `Port ${port} of ${host} is in use by another process; choose another with --port.`,
      EACCES: `Port ${port} of ${host} may not be opened by this user; choose one above 1023 with --port.`,
      EADDRNOTAVAIL: `This machine has no address ${host}; choose another with --host.`,
      ENOTFOUND: `The name ${host} is not known; choose an address with --host.`,
    })
  }
}

function certificate({ tlsCertFile, tlsKeyFile, tlsCaCertFile }: ServeOptions) {
  if (tlsCertFile === undefined && tlsKeyFile === undefined) {
    if (tlsCaCertFile !== undefined)
      throw new CliError('--tls-ca-cert-file needs --tls-cert-file and --tls-key-file.', 2)
    return undefined
  }
  if (tlsCertFile === undefined || tlsKeyFile === undefined) {
    throw new CliError('TLS needs both --tls-cert-file and --tls-key-file.', 2)
  }
  const read = (file: string) => {
    try {
      return readFileSync(file)
    } catch (error) {
      throw new CliError(`${file} cannot be read: ${(error as Error).message}.`)
    }
  }
  const pair = { cert: read(tlsCertFile), key: read(tlsKeyFile) }
  return tlsCaCertFile === undefined
    ? pair
    : { ...pair, ca: read(tlsCaCertFile), requestCert: true, rejectUnauthorized: true }
}

function explained(error: unknown, sentences: Record<string, string>): unknown {
  if (error instanceof CliError) return error
  const code = (error as NodeJS.ErrnoException | null)?.code
  return code !== undefined && code in sentences ? new CliError(sentences[code]) : error
}

function readyLine(server: RespServer, options: ServeOptions): string {
  const place = options.appendonly ? `${options.dir} (appendfsync ${options.appendfsync})` : 'memory'
  const scheme = options.tlsCertFile === undefined ? 'redis' : 'rediss'
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  if (options.json) {
    const { port } = server
    const directory = options.appendonly ? options.dir : null
    const appendfsync = options.appendonly ? options.appendfsync : null
    const url = `${scheme}://${host}:${port}`
    return JSON.stringify({ ready: true, url, port, directory, appendfsync, pid: process.pid, version: YEOUL_VERSION })
  }
  return `ready ${scheme}://${host}:${server.port} ${place} pid ${process.pid} yeoul ${YEOUL_VERSION}`
}

function number(flag: string, max: number) {
  return (text: string) => {
    if (!/^[0-9]{1,10}$/.test(text) || Number(text) > max) {
      throw new CliError(`${flag} is a number from 0 to ${max}, not '${text}'.`, 2)
    }
    return Number(text)
  }
}

function yesNo(flag: string) {
  return (text: string) => {
    if (text !== 'yes' && text !== 'no') throw new CliError(`${flag} is yes or no, not '${text}'.`, 2)
    return text === 'yes'
  }
}

function memory(text: string): number {
  const bytes = parseMemory(text)
  if (bytes === undefined) throw new CliError(`--maxmemory is a size such as 512mb or 2gb, not '${text}'.`, 2)
  return bytes
}

function policy(text: string): string {
  if (!['always', 'everysec', 'no'].includes(text)) {
    throw new CliError(`--appendfsync is always, everysec or no, not '${text}'.`, 2)
  }
  return text
}

/** `yeoul serve` */
export function serveCommand(): Command {
  return new Command('serve')
    .description('serve the embedded engine to Redis clients')
    .option('-p, --port <port>', 'port; 0 takes a free one', number('--port', 65535), 6390)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('-d, --dir <directory>', 'data directory', '.yeoul')
    .option('--appendonly <yes|no>', 'no: keep everything in memory only', yesNo('--appendonly'), true)
    .option('--appendfsync <policy>', 'always, everysec or no', policy, 'always')
    .option('--requirepass <password>', 'password of the default user')
    .option('--maxclients <n>', 'connections at a time', number('--maxclients', 4294967295))
    .option('--maxmemory <size>', 'refuse writes above this size of data, for example 2gb', memory)
    .option('--timeout <seconds>', 'close peers idle for so long', number('--timeout', 2147483647))
    .option('--tcp-keepalive <seconds>', 'between probes', number('--tcp-keepalive', 2147483647))
    .option('--protected-mode <yes|no>', 'no: serve other machines without a password', yesNo('--protected-mode'))
    .option('--tls-cert-file <file>', 'serve TLS with this certificate')
    .option('--tls-key-file <file>', 'and this key')
    .option('--tls-ca-cert-file <file>', 'demand certificates of this authority from peers')
    .option('--json', 'print the ready line as JSON')
    .action((options: ServeOptions) => serve(options))
}
