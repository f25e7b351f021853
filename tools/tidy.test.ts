import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { cycles, readSources } from './imports.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const files = readSources(root, ['packages', 'apps', 'examples', 'conformance', 'bench', 'tools'])
const core = 'packages/yeoul/src/'
const tests = /\.(test|test-d)\.tsx?$/

/**
 * Who may import whom inside packages/yeoul/src: the first prefix that fits a file decides. `say` names the better way.
 * Tests may reach further: they put real parts together.
 */
const DIRECTION: { from: string; may: string[]; say: string }[] = [
  { from: 'engine/stream/', may: ['engine/stream/'], say: 'the log itself knows nothing of the engine around it' },
  { from: 'engine/keyspace/', may: ['engine/keyspace/'], say: 'values know nothing of the engine around them' },
  { from: 'engine/resp/', may: ['engine/resp/'], say: 'the codec knows bytes only' },
  { from: 'engine/io/', may: ['engine/io/'], say: 'ports and their real implementations stand alone' },
  {
    from: 'engine/aof/',
    may: ['engine/aof/', 'engine/io/', 'engine/resp/'],
    say: 'the append-only file knows effects (RESP commands), not streams',
  },
  {
    from: 'engine/',
    may: ['engine/'],
    say: 'the engine is the bottom: server, runtime and stores import it, not the reverse',
  },
  { from: 'server/', may: ['server/', 'engine/'], say: 'the server stands on the engine alone' },
  {
    from: 'runtime/',
    may: ['runtime/'],
    say: 'the runtime speaks to its port, runtime/store.ts; only stores/ names an engine or Redis',
  },
  {
    from: 'stores/',
    may: ['stores/', 'engine/', 'runtime/'],
    say: 'a store translates the port to an engine or a server',
  },
  {
    from: 'ops/',
    may: ['ops/', 'runtime/'],
    say: 'operations read the runtime’s inspector, so they work on every store',
  },
  {
    from: 'testing/',
    may: ['testing/', 'runtime/', 'stores/', 'engine/'],
    say: 'the testing kit puts runtime and engine on fake edges',
  },
  { from: 'cli/', may: [''], say: '' },
  { from: 'index.ts', may: ['runtime/', 'stores/'], say: 'the public list of the runtime names runtime and stores' },
]

describe('tidy', () => {
  it('imports point one way inside the package', () => {
    const wrong: string[] = []
    for (const file of files.values()) {
      if (!file.path.startsWith(core) || tests.test(file.path)) continue
      const rule = DIRECTION.find(({ from }) => file.path.slice(core.length).startsWith(from))
      if (rule === undefined) wrong.push(`${file.path}: belongs to no layer of tools/tidy.test.ts`)
      for (const { target } of file.imports) {
        if (target === undefined) continue
        if (!target.startsWith(core) || !rule?.may.some((prefix) => target.slice(core.length).startsWith(prefix))) {
          wrong.push(`${file.path} imports ${target}: ${rule?.say}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it('only stores/ names the Redis client', () => {
    const wrong = [...files.values()]
      .filter((file) => file.path.startsWith(core) && !file.path.startsWith(`${core}stores/`) && !tests.test(file.path))
      .filter((file) => file.imports.some(({ specifier }) => specifier === 'redis' || specifier.startsWith('@redis/')))
      .map((file) => `${file.path}: go through the StreamStore port`)
    expect(wrong).toEqual([])
  })

  it('apps and examples use published entry points only', () => {
    const wrong: string[] = []
    for (const file of files.values()) {
      if (!file.path.startsWith('apps/') && !file.path.startsWith('examples/')) continue
      if (tests.test(file.path)) continue
      for (const { specifier, target } of file.imports) {
        if (target?.startsWith('packages/') || /packages\/yeoul|yeoul\/(src|dist)/.test(specifier)) {
          wrong.push(`${file.path} imports ${specifier}: use 'yeoul', 'yeoul/engine', 'yeoul/server' or 'yeoul/ops'`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it('no import cycle, type imports included', () => {
    expect(cycles(files).map((knot) => knot.join(' ↔ '))).toEqual([])
  })

  it('no barrel inside: an index file stands at a public entry point or is the command table', () => {
    const allowed = [
      'index.ts',
      'engine/index.ts',
      'server/index.ts',
      'ops/index.ts',
      'testing/index.ts',
      'engine/commands/index.ts',
    ]
    const wrong = [...files.keys()].filter(
      (path) => path.startsWith(core) && /(^|\/)index\.ts$/.test(path) && !allowed.includes(path.slice(core.length)),
    )
    expect(wrong).toEqual([])
  })

  it('every source of the package is reached from an entry point', () => {
    const entries = [
      'index.ts',
      'engine/index.ts',
      'server/index.ts',
      'ops/index.ts',
      'testing/index.ts',
      'cli/main.ts',
    ].map((path) => core + path)
    const reached = new Set<string>()
    const follow = (path: string) => {
      if (reached.has(path)) return
      reached.add(path)
      for (const { target } of files.get(path)?.imports ?? []) if (target !== undefined) follow(target)
    }
    for (const entry of entries) {
      expect(files.has(entry), `${entry} is missing`).toBe(true)
      follow(entry)
    }
    const dead = [...files.keys()].filter(
      (path) => path.startsWith(core) && !tests.test(path) && !reached.has(path) && !usedByTests(path),
    )
    expect(dead).toEqual([])
  })

  it('nothing is left unfinished', () => {
    const words = ['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')
    const marker = new RegExp(`(//|\\*|#).*\\b(${words})\\b|not (yet )?implemented`, 'i')
    const wrong: string[] = []
    for (const file of files.values()) {
      file.text.split('\n').forEach((line, at) => {
        if (file.path !== 'tools/tidy.test.ts' && marker.test(line))
          wrong.push(`${file.path}:${at + 1}: ${line.trim()}`)
        if (/\b(it|test|describe)\.(only|todo)\b/.test(line) && file.path !== 'tools/tidy.test.ts') {
          wrong.push(`${file.path}:${at + 1}: ${line.trim()}`)
        }
      })
    }
    expect(wrong).toEqual([])
  })

  it('no folder is named after a kind of syntax', () => {
    const wrong = [...files.keys()].filter((path) =>
      /\/(utils?|helpers?|common|types|interfaces|classes|managers?|services?)(\/|\.ts$)/.test(path),
    )
    expect(wrong).toEqual([])
  })
})

/** Support code that only tests use must stand beside them and say so by its name. */
function usedByTests(path: string): boolean {
  return [...files.values()].some((file) => tests.test(file.path) && file.imports.some(({ target }) => target === path))
}
