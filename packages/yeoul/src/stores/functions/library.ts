import { createHash } from 'node:crypto'
import { append, appendAll, appendSame } from './append.js'
import { claim, claimIds, deadLetter, heartbeat, release, reschedule, settle, settleSame } from './deliveries.js'
import { checkpoint, ensureGroup, groups, info, removeConsumer, removeGroup, setGroup, trim } from './groups.js'
import { prelude } from './prelude.js'
import { promote, redrive, schedule, scheduledEntries, unschedule } from './schedule.js'
import type { AnyStep } from './step.js'

export const libraryName = 'yeoul'

/**
 * Rises with every change of a step. A newer library on the server is left alone: steps keep their arguments and answers,
 * or get a new name, so processes of different releases share one server.
 */
export const libraryVersion = 3

export const steps: readonly AnyStep[] = [
  append,
  appendAll,
  appendSame,
  settle,
  settleSame,
  heartbeat,
  release,
  claim,
  claimIds,
  deadLetter,
  reschedule,
  schedule,
  unschedule,
  scheduledEntries,
  promote,
  redrive,
  ensureGroup,
  setGroup,
  removeGroup,
  checkpoint,
  removeConsumer,
  groups,
  info,
  trim,
]

/** The whole library for FUNCTION LOAD. */
export const librarySource = [
  `#!lua name=${libraryName}`,
  `-- version ${libraryVersion}`,
  prelude,
  ...steps.map(
    (step) =>
      `redis.register_function{ function_name = '${step.name}', flags = { ${flags(step)} }, callback = function(keys, args)${step.lua}end }`,
  ),
].join('\n')

/** The version a loaded library's source states; 0 when it states none. */
export function versionOf(source: string): number {
  return Number(/^-- version (\d+)$/m.exec(source)?.[1] ?? 0)
}

/** The same step as a script, for servers without functions. */
export function scriptOf(step: AnyStep): { source: string; sha: string } {
  let script = scripts.get(step.name)
  if (script === undefined) {
    const source = `${prelude}\nlocal keys, args = KEYS, ARGV\n${step.lua}`
    script = { source, sha: createHash('sha1').update(source).digest('hex') }
    scripts.set(step.name, script)
  }
  return script
}

const scripts = new Map<string, { source: string; sha: string }>()

function flags(step: AnyStep): string {
  const names: string[] = []
  if (step.readOnly) names.push(`'no-writes'`)
  if (step.allowOom) names.push(`'allow-oom'`)
  return names.join(', ')
}
