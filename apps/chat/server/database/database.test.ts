import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DirectoryLocked } from 'yeoul/engine'
import { hasPostgres, type RunningPostgres, startPostgres } from '../../../../conformance/postgres.js'
import type { ChatMessage } from '../protocol.js'
import { type Database, type DatabaseTarget, isUnreachable, openDatabase } from './database.js'
import { idBefore, messagesAt, messagesBetween, saveMessages, storedPositions } from './messages.js'
import { migrate } from './migrations.js'
import { markSeen, notificationsOf, saveNotifications } from './notifications.js'
import { bindToLog } from './origin.js'
import { allReads, membersOf, saveReads } from './reads.js'
import { rangesOf, search } from './search.js'

// The thread runs from the build.
const built = existsSync(fileURLToPath(new URL('../../dist/server/database/pglite-thread.js', import.meta.url)))
if (!built && process.env.CI === 'true') throw new Error('the chat is not built: npm run build')

let postgres: RunningPostgres | undefined
let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'yeoul-database-'))
})
afterAll(async () => {
  await postgres?.stop()
  await rm(directory, { recursive: true, force: true })
})

const KINDS: [string, boolean, () => Promise<DatabaseTarget>][] = [
  ['PGlite', built, async () => ({ directory: join(directory, 'embedded') })],
  ['PostgreSQL', hasPostgres(), async () => ({ url: (postgres = await startPostgres()).url })],
]

function message(room: string, seq: number, text = `메시지 ${seq}`, details: Partial<ChatMessage> = {}): ChatMessage {
  const at = 1_700_000_000_000 + seq
  return { room, seq, id: `${at}-0`, clientId: `c${seq}`, user: '민아', text, at, stored: true, ...details }
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe.each(KINDS)('%s', (_, available, target) => {
  describe.skipIf(!available)('as the database of the chat', () => {
    let database: Database
    beforeAll(async () => {
      database = await openDatabase(await target())
    }, 240_000)
    afterAll(() => database?.close())
    beforeEach(async () => {
      for (const table of ['messages', 'skipped', 'rooms', 'reads', 'notifications', 'origin'] as const) {
        await database.db.deleteFrom(table).execute()
      }
    })

    it('migrates once, whoever asks again or at the same time', async () => {
      await Promise.all([migrate(database.db), migrate(database.db)])
      expect(database.trigrams).toBe(true)
    })

    it('a message written again, alone or among others, is there once', async () => {
      await saveMessages(database, [message('r', 1), message('r', 2)])
      const again = await saveMessages(database, [message('r', 1), message('r', 2), message('r', 3)])
      expect(again).toEqual({ stored: { r: 3 }, refused: [] })
      const rows = await messagesBetween(database, 'r', 1, 10)
      expect(rows).toEqual([1, 2, 3].map((seq) => message('r', seq)))
    })

    it('says "stored" only up to the first hole, and past it once the hole is filled', async () => {
      expect(
        (
          await saveMessages(
            database,
            [3, 4, 7].map((seq) => message('r', seq)),
          )
        ).stored,
      ).toEqual({ r: 0 })
      expect(
        (
          await saveMessages(
            database,
            [1, 2].map((seq) => message('r', seq)),
          )
        ).stored,
      ).toEqual({ r: 4 })
      expect(
        (
          await saveMessages(
            database,
            [5, 6].map((seq) => message('r', seq)),
          )
        ).stored,
      ).toEqual({ r: 7 })
      expect(await storedPositions(database, ['r', 'other'])).toEqual(new Map([['r', 7]]))
    })

    it('a client id under a second number is no second message, and its number no hole', async () => {
      await saveMessages(database, [message('r', 1)])
      const saved = await saveMessages(database, [message('r', 2, 'again', { clientId: 'c1' }), message('r', 3)])
      expect(saved).toEqual({ stored: { r: 3 }, refused: [] })
      expect((await messagesBetween(database, 'r', 1, 3)).map(({ seq }) => seq)).toEqual([1, 3])
    })

    it('another entry under a number that is taken is refused, never dropped in silence', async () => {
      await saveMessages(database, [message('r', 1)])
      const other = message('r', 1, 'of another log', { id: '9-9', clientId: 'x' })
      const saved = await saveMessages(database, [other, message('r', 2)])
      expect(saved.refused.map(({ message }) => message)).toEqual([other])
      expect(saved.stored).toEqual({ r: 2 })
    })

    it('one message that cannot be stored does not keep the others out', async () => {
      const poison = message('r', 2, 'nul \u0000 byte')
      const saved = await saveMessages(database, [message('r', 1), poison, message('r', 3)])
      expect(saved.refused.map(({ message }) => message)).toEqual([poison])
      expect(saved.stored).toEqual({ r: 3 })
      expect((await messagesBetween(database, 'r', 1, 3)).map(({ seq }) => seq)).toEqual([1, 3])
    })

    it('finds messages by place', async () => {
      await saveMessages(database, [message('a', 1), message('a', 2), message('b', 1, 'b', { id: '5-1' })])
      expect(await idBefore(database, 'a', 2)).toBe(message('a', 1).id)
      expect(await idBefore(database, 'a', 1)).toBeUndefined()
      const found = await messagesAt(database, [
        { room: 'a', seq: 2 },
        { room: 'b', seq: 1 },
        { room: 'b', seq: 9 },
      ])
      expect(found.map(({ room, seq }) => `${room}${seq}`).sort()).toEqual(['a2', 'b1'])
    })

    it('search finds Korean words with particles, also of two syllables, composed or not', async () => {
      const texts = [
        '회의는 세 시',
        '내일 회의를 하자',
        '회 의',
        '서울역에서 만나',
        'Meeting at 3',
        '100% 확실',
        'a_b',
        'a\\b',
      ]
      await saveMessages(
        database,
        texts.map((text, index) => message('r', index + 1, text)),
      )
      const find = async (text: string) =>
        (await search(database, { text, limit: 10 })).hits.map(({ message }) => message.text)
      expect(await find('회의')).toEqual(['내일 회의를 하자', '회의는 세 시'])
      expect(await find('회의'.normalize('NFD'))).toEqual(['내일 회의를 하자', '회의는 세 시'])
      expect(await find('서울역')).toEqual(['서울역에서 만나'])
      expect(await find('mEETing')).toEqual(['Meeting at 3'])
      expect(await find('%')).toEqual(['100% 확실'])
      expect(await find('a_b')).toEqual(['a_b'])
      expect(await find('a\\b')).toEqual(['a\\b'])
      expect(await find('없는말')).toEqual([])
    })

    it.each(['말', '찾을말'])('search pages newest first to the end, each hit once: %s', async (wanted) => {
      const many = range(1, 5_000).map((seq) =>
        message(seq % 2 ? 'a' : 'b', seq, seq % 50 ? `${seq}` : `${seq} 찾을말이`, { clientId: `${seq}` }),
      )
      await saveMessages(database, many)
      for (const room of [undefined, 'b']) {
        const seen: number[] = []
        let before: string | undefined
        for (;;) {
          const page = await search(database, { text: wanted, room, before, limit: 7 })
          seen.push(...page.hits.map(({ message }) => message.seq))
          if (!page.more) break
          before = page.cursor!
        }
        expect(seen).toEqual(
          range(1, 100)
            .map((n) => n * 50)
            .reverse(),
        )
      }
    })

    it('read positions never move back', async () => {
      const at = (user: string, seq: number) => ({ room: 'r', user, seq })
      await saveReads(database, [at('a', 5), at('b', 2), at('a', 3)])
      await saveReads(database, [at('a', 4), at('b', 6)])
      expect((await allReads(database)).sort((x, y) => (x.user < y.user ? -1 : 1))).toEqual([at('a', 5), at('b', 6)])
      expect([...(await membersOf(database, ['r', 's']))]).toEqual([
        ['r', expect.arrayContaining(['a', 'b'])],
        ['s', []],
      ])
    })

    it('a notification is made once and seen once', async () => {
      const addressed = [1, 2].map((seq) => ({
        recipient: '지훈',
        notification: {
          id: `${seq}-0:지훈`,
          kind: 'mention' as const,
          room: 'r',
          seq,
          from: '민아',
          text: 't',
          at: seq,
          seen: false,
        },
      }))
      expect(await saveNotifications(database, addressed)).toHaveLength(2)
      expect(await saveNotifications(database, addressed)).toEqual([])
      await markSeen(database, 'somebody else', ['1-0:지훈'])
      expect((await notificationsOf(database, '지훈', 10)).unseen).toBe(2)
      await markSeen(database, '지훈', ['1-0:지훈'])
      const { notifications, unseen } = await notificationsOf(database, '지훈', 10)
      expect(notifications.map(({ seq, seen }) => [seq, seen])).toEqual([
        [2, false],
        [1, true],
      ])
      expect(unseen).toBe(1)
    })

    it('belongs to one log', async () => {
      expect(await bindToLog(database, 'first')).toBe('first')
      expect(await bindToLog(database, 'second')).toBe('first')
    })
  })
})

describe.skipIf(!built)('PGlite on its thread', () => {
  it('E8: keeps others out of its directory, and everything in it', { timeout: 240_000 }, async () => {
    const target = { directory: join(directory, 'embedded') }
    const first = await openDatabase(target)
    await saveMessages(first, [message('r', 1)])
    await expect(openDatabase(target)).rejects.toBeInstanceOf(DirectoryLocked)
    await first.close()
    const second = await openDatabase(target)
    expect(await messagesBetween(second, 'r', 1, 1)).toEqual([message('r', 1)])
    await second.close()
  })
})

describe.skipIf(!hasPostgres())('a PostgreSQL that goes away', () => {
  it('is told apart from a refused statement, and used again when it is back', { timeout: 60_000 }, async () => {
    const server = await startPostgres()
    const database = await openDatabase({ url: server.url })
    try {
      await server.kill()
      const error = await saveMessages(database, [message('r', 1)]).catch((error) => error)
      expect(isUnreachable(error), String(error)).toBe(true)
      await server.restart()
      expect(await saveMessages(database, [message('r', 1)])).toEqual({ stored: { r: 1 }, refused: [] })
    } finally {
      await database.close()
      await server.stop()
    }
  })
})

it('ranges cover every place, also in texts with characters of two units', () => {
  expect(rangesOf('회의 🦊 회의는', '회의')).toEqual([
    [0, 2],
    [6, 8],
  ])
  expect(rangesOf('a.b A.B axb', 'a.b')).toEqual([
    [0, 3],
    [4, 7],
  ])
})
