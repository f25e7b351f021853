import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { cpus, loadavg, release, totalmem } from 'node:os'

const require = createRequire(import.meta.url)

/** What the figures were taken on. Nothing that names the machine or where the files are. */
export function describeMachine() {
  return {
    processor: cpus()[0].model.trim(),
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    system: `Linux ${release().split('-')[0]}`,
    node: process.version,
    redis: /v=([\d.]+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1],
    packages: Object.fromEntries(
      ['yeoul', 'redis', 'ioredis', 'bullmq', 'bee-queue'].map((name) => [name, versionOf(name)]),
    ),
    commit: commit(),
    loadAtStart: loadavg().map((value) => Number(value.toFixed(2))),
  }
}

function versionOf(name) {
  return require(`${name}/package.json`).version
}

/** The commit measured; says so when the tree differs from it. */
function commit() {
  const git = (...args) => execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim()
  try {
    const changed = git('status', '--porcelain', '--', '../packages') !== ''
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`
  } catch {
    return undefined
  }
}
