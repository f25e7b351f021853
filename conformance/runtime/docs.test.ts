/** The pages are true: every program of the guide runs as printed, and the pages made from code are current. */
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ERRORS } from '../../packages/yeoul/src/index.js'
import { Running } from '../processes.js'
import { hasYeoul } from '../servers.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const guide = path.join(root, 'docs/guide')
/** Below the workspace, so that the programs find `yeoul` as their readers would. */
const programs = path.join(root, 'node_modules/.cache', `yeoul-guide-${process.pid}`)

/** Every ```ts block of a page is a program; its lines `//> text` are what it prints. */
async function programsOf(page: string): Promise<string[]> {
  const text = await readFile(path.join(guide, page), 'utf8')
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code)
}

const pages = (await readdir(guide)).filter((name) => name.endsWith('.md'))
const blocks = (
  await Promise.all(pages.map(async (page) => (await programsOf(page)).map((code, i) => ({ page, i, code }))))
).flat()

describe('guide', () => {
  beforeAll(() => mkdir(programs, { recursive: true }))
  afterAll(() => rm(programs, { recursive: true, force: true }))

  it('every page has a program', () => {
    expect([...new Set(blocks.map(({ page }) => page))]).toEqual(pages)
  })

  it.runIf(hasYeoul()).each(blocks)('$page, program $i prints what the page says', async ({ page, i, code }) => {
    const file = path.join(programs, `${page}-${i}.mjs`)
    await writeFile(file, code)
    const running = Running.start(process.execPath, [file], { YEOUL_URL: 'memory:' })
    const late = setTimeout(() => running.child.kill('SIGKILL'), 20_000)
    await new Promise((resolve) => running.child.once('close', resolve))
    clearTimeout(late)
    const expected = [...code.matchAll(/^\/\/> (.*)$/gm)].map(([, line]) => line)
    expect(running.output.trim().split('\n').filter(Boolean)).toEqual(expected)
    expect(running.child.exitCode).toBe(0)
  })

  it.runIf(hasYeoul())('R19 every program compiles', async () => {
    const files: string[] = []
    for (const { page, i, code } of blocks) {
      const file = path.join(programs, `${page.replace('.md', '')}-${i}.mts`)
      await writeFile(file, code)
      files.push(file)
    }
    const compiler = createRequire(import.meta.url).resolve('typescript/package.json')
    const options = '--ignoreConfig --noEmit --strict --skipLibCheck --target es2023 --module nodenext --types node'
    const run = spawnSync(
      process.execPath,
      [path.join(path.dirname(compiler), 'bin/tsc'), ...options.split(' '), ...files],
      {
        cwd: root,
        encoding: 'utf8',
      },
    )
    expect(run.stdout + run.stderr).toBe('')
  })
})

/** YEOUL_WRITE_DOCS=1 writes the page anew. */
it('docs/reference/errors.md is made from the catalogue', async () => {
  const rows = Object.entries(ERRORS).map(
    ([code, { cause, retriable, advice }]) => `| \`${code}\` | ${cause} | ${retriable ? 'yes' : 'no'} | ${advice} |`,
  )
  const page = `# Errors

Everything that yeoul rejects with is a \`YeoulError\`: \`code\` is one of these, \`retriable\` says whether the same call can succeed
later without anybody changing anything, \`advice\` what to do (sometimes more to the point than here), \`cause\` is what the store or
the codec said. Of a write, \`outcome\` is \`'none'\` (it did not happen) or \`'unknown'\` (it may have: publish again with the same
\`dedupe\` id).

| code | what happened | retriable | what to do |
|---|---|---|---|
${rows.join('\n')}
`
  const file = path.join(root, 'docs/reference/errors.md')
  if (process.env.YEOUL_WRITE_DOCS) await writeFile(file, page)
  expect(await readFile(file, 'utf8')).toBe(page)
})
