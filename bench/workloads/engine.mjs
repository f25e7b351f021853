import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRole } from '../harness/role.mjs'
import { interleave } from '../harness/rounds.mjs'

export const title = 'The engine in process'

const role = new URL('../engine/engine-process.mjs', import.meta.url).pathname

export async function run({ rounds, quick, log, profile, wanted }) {
  const sections = []
  const once = async (operation, argument) => {
    const nodeArguments = ['--expose-gc', ...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [])]
    const process = await startRole(role, { nodeArguments })
    try {
      return await process.ask(operation, argument)
    } finally {
      await process.end()
    }
  }
  const inDirectory = async (run) => {
    const directory = mkdtempSync(join(tmpdir(), 'yeoul-bench-'))
    try {
      return await run(directory)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
  const million = quick ? 300_000 : 1_000_000

  if (wanted('engine-calls')) {
    sections.push({
      id: 'engine-calls',
      title: 'Calls in process, 200-byte payloads, in memory',
      columns: [
        { key: 'rate', label: 'entries/s' },
        { key: 'cpu', label: 'CPU µs/entry' },
      ],
      rows: await interleave(
        [
          { name: 'append', label: 'append, text', run: () => once('append', { count: million, form: 'text' }) },
          {
            name: 'append-buffer',
            label: 'append, Buffer',
            run: () => once('append', { count: million, form: 'buffer' }),
          },
          {
            name: 'read',
            label: 'group read 100 + acknowledge',
            run: () => once('readAcknowledge', { count: million, payload: 'no' }),
          },
          {
            name: 'read-text',
            label: '… with payload text',
            run: () => once('readAcknowledge', { count: million, payload: 'text' }),
          },
          {
            name: 'read-json',
            label: '… with JSON.parse',
            run: () => once('readAcknowledge', { count: million, payload: 'json' }),
          },
        ],
        { rounds, log },
      ),
      targets: [
        { label: 'append in process', row: 'append', key: 'rate', atLeast: 1.5e6, unit: '/s' },
        { label: 'group read + acknowledge in process', row: 'read', key: 'rate', atLeast: 3e6, unit: '/s' },
      ],
    })
  }

  if (wanted('engine-commit')) {
    const producers = [
      [1, 0.02],
      [16, 0.2],
      [100, 1],
      [1000, 2],
    ]
    const base = quick ? 50_000 : 200_000
    sections.push({
      id: 'engine-commit',
      title: 'Appends on disk, each producer waits until its entry is committed',
      columns: [
        { key: 'rate', label: 'appends/s' },
        { key: 'cpu', label: 'CPU µs/append' },
        { key: 'cores', label: 'cores' },
      ],
      rows: await interleave(
        ['always', 'everysec'].flatMap((appendfsync) =>
          producers.map(([inFlight, share]) => ({
            name: `${appendfsync}-${inFlight}`,
            label: `${appendfsync}, ${inFlight} in flight`,
            run: () =>
              inDirectory((directory) =>
                once('commit', { directory, appendfsync, inFlight, count: Math.round(base * share) }),
              ),
          })),
        ),
        { rounds, log },
      ),
      targets: [
        {
          label: 'always against everysec, 1,000 in flight',
          row: 'always-1000',
          against: 'everysec-1000',
          key: 'rate',
          atLeast: 0.7,
        },
      ],
    })
  }

  if (wanted('engine-replay')) {
    const count = quick ? 200_000 : 1_000_000
    await inDirectory(async (directory) => {
      await once('write', { directory, count })
      sections.push({
        id: 'engine-replay',
        title: `Opening a directory of ${count.toLocaleString('en')} entries, half of them delivered`,
        columns: [
          { key: 'rate', label: 'effects/s' },
          { key: 'seconds', label: 'seconds' },
          { key: 'cpu', label: 'CPU µs/effect' },
          { key: 'stall', label: 'longest turn ms' },
        ],
        rows: await interleave(
          [{ name: 'replay', label: 'Engine.open', run: () => once('replay', { directory, count }) }],
          { rounds, log },
        ),
        targets: [{ label: 'replay', row: 'replay', key: 'rate', atLeast: 300_000, unit: '/s' }],
      })
    })
  }

  if (wanted('engine-resident')) {
    const sizes = quick ? [100_000, 1_000_000] : [1_000_000, 10_000_000]
    sections.push({
      id: 'engine-resident',
      title: 'Appending 100,000/s beside many resident entries, a group reading along',
      columns: [
        { key: 'longest', label: 'longest turn ms' },
        { key: 'p999', label: 'p99.9 turn ms' },
        { key: 'collection', label: 'longest collection ms' },
        { key: 'collections', label: 'ms of collection per s' },
        { key: 'rate', label: 'appends/s' },
        { key: 'resident', label: 'resident bytes/entry' },
        { key: 'heap', label: 'V8 heap bytes/entry' },
      ],
      rows: await interleave(
        sizes.map((count) => ({
          name: `resident-${count}`,
          label: `${count.toLocaleString('en')} resident`,
          rounds: Math.min(rounds, 3),
          run: () => once('resident', { count, perSecond: 100_000, seconds: quick ? 3 : 10 }),
        })),
        { rounds, log },
      ),
      targets: [
        {
          label: `longest turn beside ${sizes[1].toLocaleString('en')} entries`,
          row: `resident-${sizes[1]}`,
          key: 'longest',
          atMost: 10,
          unit: ' ms',
        },
        { label: 'appends/s kept', row: `resident-${sizes[1]}`, key: 'rate', atLeast: 99_000, unit: '/s' },
      ],
    })
  }
  return sections
}
