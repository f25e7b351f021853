import { ForeignDatabase } from './chat.js'
import { BadSetting, type Settings, withoutPassword } from './settings.js'
import type { Texts } from './terminal.js'

interface Failure {
  name?: string
  code?: string
  message?: string
  path?: string
  port?: number
  pid?: number
  owner?: { pid: number }
  address?: string
  syscall?: string
  cause?: unknown
  errors?: unknown[]
}

/** Why the chat does not start, as one sentence that says what to do. */
export function explain(error: unknown, settings: Settings | undefined, texts: Texts): string {
  if (error instanceof BadSetting) return texts.badSetting(error.setting, error.given, error.expected)
  if (settings === undefined) return texts.other(oneLine(error))
  if (error instanceof ForeignDatabase) return texts.foreignDatabase(databaseAddress(settings))
  for (const failure of causes(error)) {
    const { code, syscall } = failure
    if (syscall === 'listen') {
      const port = failure.port ?? settings.port
      const setting = port === settings.port ? 'PORT' : 'RESP_PORT'
      if (code === 'EADDRINUSE') return texts.portTaken(setting, port)
      if (code === 'EACCES') return texts.portForbidden(setting, port)
      if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return texts.noSuchHost(settings.host)
    }
    if (syscall === 'getaddrinfo' && (failure as { hostname?: string }).hostname === settings.host) {
      return texts.noSuchHost(settings.host)
    }
    if (failure.name === 'DirectoryLocked') {
      return texts.directoryLocked(failure.path ?? '', failure.pid ?? failure.owner?.pid ?? '?')
    }
    if (/^(EACCES|EPERM|EROFS|ENOTDIR|ENOENT|EEXIST|ENOSPC)$/.test(code ?? '') && failure.path !== undefined) {
      return texts.notWritable(failure.path)
    }
  }
  if ((error as Failure).name === 'YeoulError' && 'url' in settings.log) {
    return texts.logUnreachable(withoutPassword(settings.log.url), oneLine(error))
  }
  if ('url' in settings.database) return texts.databaseUnreachable(databaseAddress(settings), oneLine(error))
  return texts.other(oneLine(error))
}

function databaseAddress({ database }: Settings): string {
  return 'url' in database ? withoutPassword(database.url) : database.directory
}

/** The error and what caused it, outermost first. */
function* causes(error: unknown): Generator<Failure> {
  for (let depth = 0; error instanceof Error && depth < 5; depth++) {
    const failure = error as Failure
    yield failure
    error = failure.cause
  }
}

function oneLine(error: unknown): string {
  const { message, code, errors } = error as Failure
  // A connection attempt over several addresses fails with one error each and no message of its own.
  const text = message || (errors?.[0] as Failure | undefined)?.message || code || String(error)
  return text.split('\n')[0].replace(/[.\s]+$/, '')
}
