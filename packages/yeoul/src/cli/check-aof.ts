import { checkAppendOnly } from '../engine/aof/check.js'
import { CorruptLog, UnsupportedLog } from '../engine/aof/errors.js'
import { FileStorage } from '../engine/io/file-storage.js'
import { DirectoryLocked } from '../engine/io/storage.js'
import { count, print, printJson } from './output.js'
import { CliError } from './session.js'

/**
 * Reads a data directory's log without starting an engine on it. Exit status 0: it is sound, or has been repaired; 1: it is
 * damaged. `--fix` takes off what lies behind the first bad byte and keeps it in a file beside the log.
 */
export async function checkAofCommand(directory: string, flags: { fix?: boolean; json?: boolean }): Promise<void> {
  const report = await checkAppendOnly(directory, new FileStorage(), { fix: flags.fix }).catch((error: unknown) => {
    if (error instanceof DirectoryLocked || error instanceof UnsupportedLog || error instanceof CorruptLog) {
      throw new CliError(error.message)
    }
    throw error
  })
  if (flags.json) printJson(report)
  else {
    if (report.manifest !== undefined) print(`manifest: ${report.manifest}`)
    for (const file of report.files) {
      const state = file.missing
        ? 'is missing'
        : `${count(file.size)} bytes, ${count(file.records)} records, ${count(file.effects)} effects`
      print(`${file.name} (${file.type}): ${state}`)
      if (file.unchecked > 0) print(`  ${count(file.unchecked)} bytes carry no checksum, as Redis writes them`)
      if (file.damage !== undefined)
        print(`  ${file.damage.kind} at byte ${count(file.damage.offset)}: ${file.damage.detail}`)
    }
    for (const cut of report.cuts)
      print(`cut ${cut.file} at byte ${count(cut.offset)}; what was taken off is kept in ${cut.kept}`)
    if (report.cuts.length > 0) print('repaired: the engine starts on it')
    else if (report.sound) print('sound')
    else if (report.startable) print('the end is damaged: the engine starts on it and cuts it there by itself')
    else
      print(
        `damaged: the engine does not start on it; \`yeoul check-aof --fix ${directory}\` cuts it at the first bad byte`,
      )
  }
  if (!report.sound && report.cuts.length === 0) process.exitCode = 1
}
