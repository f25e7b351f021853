import { copyAppendOnly } from '../engine/aof/backup.js'
import { BackupRefused, CorruptLog, UnsupportedLog } from '../engine/aof/errors.js'
import { systemClock } from '../engine/io/clock.js'
import { FileStorage } from '../engine/io/file-storage.js'
import { count, ProgressLine, print, printJson } from './output.js'
import { CliError } from './session.js'

/**
 * Copies the log of a data directory and verifies the copy. Whoever works on the directory is not asked and not
 * disturbed; the copy is what it had written at one moment, and a data directory by itself.
 */
export async function backupCommand(directory: string, flags: { to: string; json?: boolean }): Promise<void> {
  const line = new ProgressLine()
  try {
    const report = await copyAppendOnly(
      new FileStorage(),
      directory,
      flags.to,
      systemClock,
      ({ phase, bytes, total }) => line.show(bytes, total, phase === 'copying' ? 'bytes copied' : 'bytes verified'),
    )
    line.end()
    if (flags.json) printJson({ directory, to: flags.to, ...report })
    else
      print(
        `copied ${directory} to ${flags.to}: ${count(report.files)} files, ${count(report.bytes)} bytes, ${count(report.effects)} effects; sound`,
      )
  } catch (error) {
    line.end()
    throw explained(error, directory, flags.to)
  }
}

function explained(error: unknown, directory: string, target: string): unknown {
  if (error instanceof BackupRefused || error instanceof CorruptLog || error instanceof UnsupportedLog) {
    return new CliError(error.message)
  }
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC') return new CliError(`No space is left for the copy in ${target}; it is incomplete.`)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new CliError(`${directory} cannot be read, or ${target} not be written: ${(error as Error).message}.`)
  }
  return error
}
