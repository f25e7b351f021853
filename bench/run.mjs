// npm run bench -- NAME [--json] [--rounds N] [--quick] [--only SECTION] [--save] [--cpu-prof DIR] [--no-build]
//
//   NAME       server | engine | jobs | publish   one workload against its peers
//              all                                every workload, results kept in bench/results, then the report
//              report                             docs/performance.md and its charts from bench/results
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const WORKLOADS = ['server', 'engine', 'jobs', 'publish']
const here = import.meta.dirname

const { values: options, positionals } = readArguments()
const name = positionals[0]
if (name === undefined || positionals.length > 1 || ![...WORKLOADS, 'all', 'report'].includes(name)) {
  fail(`Name one of: ${WORKLOADS.join(', ')}, all, report.`)
}
const rounds = options.rounds === undefined ? (options.quick ? 3 : 5) : Number(options.rounds)
if (!Number.isInteger(rounds) || rounds < 1) fail('--rounds is a whole number from 1.')

if (!options['no-build']) command('node', [join(here, '..', 'tools', 'boot.mjs'), '--build'])
installPeers()

if (name !== 'report') {
  for (const workload of name === 'all' ? WORKLOADS : [name]) await measure(workload)
}
if (name === 'all' || name === 'report') {
  const { writeReport } = await import('./report.mjs')
  for (const file of writeReport()) log(`wrote ${file}`)
}

async function measure(workload) {
  const { describeMachine } = await import('./harness/machine.mjs')
  const { plain } = await import('./harness/sections.mjs')
  const { run, title } = await import(`./workloads/${workload}.mjs`)
  const { loadavg } = await import('node:os')
  const machine = describeMachine()
  const at = new Date().toISOString()
  log(`${title}: ${rounds} rounds${options.quick ? ', quick' : ''}`)
  const profile = options['cpu-prof'] === undefined ? undefined : resolve(options['cpu-prof'])
  const only = options.only === undefined ? undefined : new RegExp(`^(${options.only})$`)
  const wanted = (section) => {
    const take = only === undefined || only.test(section)
    if (take) log(section)
    return take
  }
  const sections = await run({ rounds, quick: options.quick, log, profile, wanted })
  machine.loadAtEnd = loadavg().map((value) => Number(value.toFixed(2)))
  const result = { workload, title, at, rounds, quick: options.quick, machine, sections }
  if (name === 'all' || options.save) {
    mkdirSync(join(here, 'results'), { recursive: true })
    writeFileSync(join(here, 'results', `${workload}.json`), `${JSON.stringify(result, null, 1)}\n`)
  }
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  else process.stdout.write(`${sections.map(plain).join('\n\n')}\n`)
}

/** Peers are no dependency of yeoul: they live in a package of their own and come on first use. */
function installPeers() {
  if (existsSync(join(here, 'node_modules', 'bullmq'))) return
  log('installing what yeoul is compared with (BullMQ, bee-queue, ioredis) into bench/node_modules …')
  command(process.platform === 'win32' ? 'npm.cmd' : 'npm', [
    'ci',
    '--prefix',
    here,
    '--ignore-scripts',
    '--loglevel=error',
  ])
}

function command(file, args) {
  const { status } = spawnSync(file, args, { stdio: ['ignore', options.json ? 'ignore' : 'inherit', 'inherit'] })
  if (status !== 0) fail(`${[file, ...args].join(' ')} failed.`)
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        save: { type: 'boolean', default: false },
        only: { type: 'string' },
        'cpu-prof': { type: 'string' },
        'no-build': { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    fail(error.message)
  }
}

function log(text) {
  process.stderr.write(`${text}\n`)
}

function fail(text) {
  process.stderr.write(`${text}\n`)
  process.exit(2)
}
