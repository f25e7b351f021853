// Makes a fresh clone ready, with nothing but Node: `npm start` and `npm test` call it before anything else.
//
//   --build        packages are installed, TypeScript compiled, web pages built (each only when its inputs changed)
//   --components   also the programs that tests run against: redis-server, PostgreSQL, Chromium, FastAPI (Debian packages)
//
// Each step says what it does while it does it. A step that fails names the command to run by hand.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const arguments_ = new Set(process.argv.slice(2))
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  fail(
    `yeoul needs Node 20.19 or newer; this is ${process.versions.node}.`,
    'Install Node 20 LTS or newer and run the command again.',
  )
}

await step(
  'packages',
  [join(root, 'package.json'), join(root, 'package-lock.json')],
  existsSync(join(root, 'node_modules')),
  {
    says: 'installing packages',
    run: () => command(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error']),
    byHand: 'npm ci',
  },
)

if (arguments_.has('--build')) {
  const bin = (name) => join(root, 'node_modules', '.bin', name)
  await step(
    'typescript',
    sources(['packages', 'apps/chat/server', 'examples'], /\.(ts|tsx|json)$/, ['tsconfig.base.json', 'tsconfig.json']),
    existsSync(join(root, 'packages/yeoul/dist/index.js')),
    {
      says: 'compiling TypeScript',
      run: () => command(process.execPath, [bin('tsc'), '-b']),
      byHand: 'npx tsc -b',
    },
  )
  for (const [name, folder, output] of [
    ['chat page', 'apps/chat', 'apps/chat/dist/web/index.html'],
    ['console page', 'apps/console', 'packages/yeoul/dist/console/index.html'],
  ]) {
    const from =
      folder === 'apps/chat' ? ['apps/look', 'apps/chat/web', 'apps/chat/server/protocol.ts'] : ['apps/look', folder]
    await step(name, sources(from, /\.(ts|tsx|css|html|json|svg|js|mjs)$/), existsSync(join(root, output)), {
      says: `building the ${name}`,
      run: () => command(npm, ['run', '--silent', 'build', '-w', folder]),
      byHand: `npm run build -w ${folder}`,
    })
  }
}

if (arguments_.has('--components')) await components()

/** Runs a step unless its inputs are those of the last time it went through. */
async function step(name, inputs, present, { says, run, byHand }) {
  const hash = createHash('sha256')
  for (const file of inputs) hash.update(relative(root, file)).update(readFileSync(file))
  hash.update(process.versions.modules)
  const digest = hash.digest('hex')
  const marker = join(root, 'node_modules', '.yeoul', `${name.replace(/ /g, '-')}.done`)
  if (present && existsSync(marker) && readFileSync(marker, 'utf8') === digest) return
  const since = Date.now()
  const stop = showProgress(`${says} …`, since)
  const { code, output } = await run()
  stop()
  if (code !== 0) {
    process.stderr.write(output)
    fail(`${says} failed.`, `Run \`${byHand}\` to see it alone.`)
  }
  say(`${says} … done in ${((Date.now() - since) / 1000).toFixed(1)} s`)
  mkdirSync(dirname(marker), { recursive: true })
  writeFileSync(marker, digest)
}

async function components() {
  const needed = [
    ['redis-server', 'redis-server', ['/usr/bin/redis-server']],
    ['redis-tools', 'redis-cli and redis-benchmark', ['/usr/bin/redis-cli']],
    ['postgresql-15', 'PostgreSQL 15', ['/usr/lib/postgresql/15/bin/initdb']],
    ['chromium', 'Chromium', ['/usr/bin/chromium']],
    ['fonts-noto-cjk', 'Korean fonts', ['/usr/share/fonts/opentype/noto']],
    ['python3-fastapi', 'FastAPI', ['/usr/lib/python3/dist-packages/fastapi']],
    ['python3-uvicorn', 'uvicorn', ['/usr/lib/python3/dist-packages/uvicorn']],
    ['python3-redis', 'redis-py', ['/usr/lib/python3/dist-packages/redis']],
    ['prometheus', 'Prometheus', ['/usr/bin/prometheus']],
    ['prometheus-redis-exporter', 'redis_exporter', ['/usr/bin/prometheus-redis-exporter']],
  ]
  const missing = needed.filter(([, , files]) => !files.every((file) => existsSync(file)))
  if (missing.length === 0) return
  const packages = missing.map(([name]) => name)
  const byHand = `apt-get install --no-install-recommends ${packages.join(' ')}`
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    say(
      `The tests also use ${missing.map(([, what]) => what).join(', ')}, not found here: what needs them is skipped and says so. As root on Debian: ${byHand}`,
    )
    return
  }
  const since = Date.now()
  const stop = showProgress(`installing Debian packages: ${packages.join(' ')} …`, since)
  // Starting the packages' own services is not wanted: tests start their own servers, on free ports.
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  await command('apt-get', ['update', '-qq'], environment)
  const { code, output } = await command(
    'apt-get',
    ['install', '-y', '-qq', '--no-install-recommends', ...packages],
    environment,
  )
  stop()
  if (code !== 0) {
    process.stderr.write(output)
    fail('Debian packages could not be installed.', `Run \`${byHand}\` to see it alone.`)
  }
  say(`installing Debian packages … done in ${((Date.now() - since) / 1000).toFixed(1)} s`)
}

/** Files below the folders whose names match, sorted, without what is generated. */
function sources(folders, pattern, extra = []) {
  const found = extra.map((file) => join(root, file))
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name.startsWith('.')) continue
      const path = join(folder, entry.name)
      if (entry.isDirectory()) walk(path)
      else if (pattern.test(entry.name)) found.push(path)
    }
  }
  for (const folder of folders) {
    const path = join(root, folder)
    if (!existsSync(path)) continue
    if (statSync(path).isDirectory()) walk(path)
    else found.push(path)
  }
  return found.sort()
}

function command(file, args, env = process.env) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const keep = (chunk) => {
      output = (output + chunk).slice(-20000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) => resolve({ code: 1, output: `${output}${error.message}\n` }))
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

/** On a terminal the line counts seconds; elsewhere it is printed once. */
function showProgress(text, since) {
  if (!process.stdout.isTTY) {
    say(text)
    return () => {}
  }
  const draw = () => process.stdout.write(`\r\x1b[2K· ${text} ${Math.round((Date.now() - since) / 1000)} s`)
  draw()
  const timer = setInterval(draw, 1000)
  return () => {
    clearInterval(timer)
    process.stdout.write('\r\x1b[2K')
  }
}

function say(text) {
  process.stdout.write(`· ${text}\n`)
}

function fail(what, advice) {
  process.stderr.write(`${what} ${advice}\n`)
  process.exit(1)
}
