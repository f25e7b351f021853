import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'

/** One source file and what it imports, as written: `type` imports count, because a reader follows them too. */
export interface SourceFile {
  /** Relative to the root, with `/`. */
  path: string
  text: string
  imports: Import[]
}

export interface Import {
  specifier: string
  /** The file inside the repository that a relative specifier names; undefined for packages. */
  target: string | undefined
}

const IMPORT =
  /(?:^|[\n;])\s*(?:import|export)\s+(?:type\s+)?(?:[^'"();]*?\sfrom\s+)?['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]\s*\)/g

/** All sources below these folders of `root`, tests included, generated files not. */
export function readSources(root: string, folders: readonly string[]): Map<string, SourceFile> {
  const files = new Map<string, SourceFile>()
  const walk = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name.startsWith('.')) continue
      const path = join(folder, entry.name)
      if (entry.isDirectory()) walk(path)
      else if (/\.(ts|tsx|mts|mjs|js)$/.test(entry.name) && !entry.name.endsWith('.d.ts')) {
        const name = relative(root, path).split(sep).join('/')
        files.set(name, { path: name, text: readFileSync(path, 'utf8'), imports: [] })
      }
    }
  }
  for (const folder of folders) walk(join(root, folder))
  for (const file of files.values()) file.imports = parseImports(file, files)
  return files
}

function parseImports(file: SourceFile, files: Map<string, SourceFile>): Import[] {
  const found: Import[] = []
  // Comments and template literals can hold what looks like an import.
  const code = file.text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"])\/\/[^\n]*/g, '$1')
  for (const match of code.matchAll(IMPORT)) {
    const specifier = match[1] ?? match[2]
    found.push({ specifier, target: specifier.startsWith('.') ? resolve(file.path, specifier, files) : undefined })
  }
  return found
}

function resolve(from: string, specifier: string, files: Map<string, SourceFile>): string | undefined {
  const path = normalize(join(dirname(from), specifier))
    .split(sep)
    .join('/')
  const stem = path.replace(/\.(js|mjs|jsx)$/, '')
  return [path, `${stem}.ts`, `${stem}.tsx`, `${path}.ts`, `${path}.tsx`].find((candidate) => files.has(candidate))
}

/** Import cycles, each as the files along it; type imports count. */
export function cycles(files: Map<string, SourceFile>): string[][] {
  // Tarjan: every strongly connected part of more than one file is a knot.
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const onStack = new Set<string>()
  const knots: string[][] = []
  const visit = (path: string) => {
    index.set(path, index.size)
    low.set(path, index.get(path)!)
    stack.push(path)
    onStack.add(path)
    for (const { target } of files.get(path)!.imports) {
      if (target === undefined) continue
      if (!index.has(target)) {
        visit(target)
        low.set(path, Math.min(low.get(path)!, low.get(target)!))
      } else if (onStack.has(target)) low.set(path, Math.min(low.get(path)!, index.get(target)!))
    }
    if (low.get(path) === index.get(path)) {
      const knot: string[] = []
      let member: string
      do {
        member = stack.pop()!
        onStack.delete(member)
        knot.push(member)
      } while (member !== path)
      if (knot.length > 1) knots.push(knot.sort())
    }
  }
  for (const path of files.keys()) if (!index.has(path)) visit(path)
  return knots
}
