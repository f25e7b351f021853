import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installed } from '../servers.js'
import { run, type Served, start, startServed } from './served.js'

const present = installed('redis-cli')
const terminal = fileURLToPath(new URL('terminal.py', import.meta.url))

describe.skipIf(!present)('redis-cli', () => {
  let served: Served
  const cli = (...args: string[]) => run('redis-cli', ['-p', String(served.port), ...args])

  beforeAll(async () => {
    served = await startServed()
  })
  afterAll(() => served.stop())

  test.each([[[]], [['-3']]])('E1 does the log by hand (%j)', async (options) => {
    const key = `mystream${options.join('')}`
    const on = (...args: string[]) => cli(...options, ...args)
    const id = (await on('XADD', key, 'MAXLEN', '~', '1000', '*', 'user', 'kim', 'text', '안녕')).trim()
    expect(id).toMatch(/^\d+-\d+$/)
    expect(await on('XRANGE', key, '-', '+')).toContain(`${id}\nuser\nkim\ntext\n안녕`)
    expect(await on('XREAD', 'COUNT', '2', 'STREAMS', key, '0')).toContain('안녕')

    const waiting = on('XREAD', 'BLOCK', '0', 'STREAMS', key, '$')
    while (served.engine.blocked.count === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    await on('XADD', key, '*', 'text', 'second')
    expect(await waiting).toContain('second')

    expect(await on('XGROUP', 'CREATE', key, 'mygroup', '0')).toBe('OK\n')
    const read = await on('XREADGROUP', 'GROUP', 'mygroup', 'worker-1', 'COUNT', '1', 'BLOCK', '0', 'STREAMS', key, '>')
    expect(read).toContain(id)
    expect(await on('XPENDING', key, 'mygroup')).toContain('worker-1')
    expect(await on('XCLAIM', key, 'mygroup', 'worker-2', '0', id)).toContain('kim')
    expect(await on('XACK', key, 'mygroup', id)).toBe('1\n')
    expect((await on('XPENDING', key, 'mygroup', '-', '+', '10')).trim()).toBe('')
  })

  test('E1 reads commands from a pipe, and --pipe loads raw protocol', async () => {
    const lines = Array.from({ length: 500 }, (_, i) => `XADD piped ${i + 1}-0 n ${i}`)
    const out = await run('redis-cli', ['-p', String(served.port)], `${lines.join('\n')}\nXLEN piped\n`)
    expect(out.trimEnd().split('\n').at(-1)).toBe('500')
    const raw = Array.from({ length: 2000 }, () => '*5\r\n$4\r\nXADD\r\n$3\r\nraw\r\n$1\r\n*\r\n$1\r\nf\r\n$1\r\nv\r\n')
    const report = await run('redis-cli', ['-p', String(served.port), '--pipe'], raw.join(''))
    expect(report).toContain('errors: 0, replies: 2000')
  })

  test('E1 understands COMMAND DOCS, and looks for big keys', async () => {
    expect(await cli('COMMAND', 'DOCS', 'xadd')).toContain('summary')
    await cli('SET', 'big', 'x'.repeat(1000))
    expect(await cli('--bigkeys')).toContain('Biggest string found \'"big"\' has 1000 bytes')
    expect(await cli('--memkeys')).toContain('Biggest')
  })

  test.each([[[]], [['-3']]])('E1 shows hints and completes names on a terminal (%j)', async (options) => {
    const typed = [
      `:${served.port}> \tXADD typed \n`,
      // The hint names what may follow.
      'key [NOMKSTREAM]\t* f 1\\r\n',
      // Each further line is typed at the prompt behind the reply before.
      `-0"\\r\\n127.0.0.1:${served.port}> \txle\\t typed\\r\n`,
      `(integer) 1\\r\\n127.0.0.1:${served.port}> \tHELLO\\r\n`,
      `(empty array)\\r\\n127.0.0.1:${served.port}> \tQUIT\\r\n`,
    ]
    const args = [terminal, 'redis-cli', '-p', String(served.port), ...options]
    const shown = await run('/usr/bin/python3', args, typed.join(''))
    expect(shown).toContain('[KEEPREF|DELREF|ACKED]')
    expect(shown).toContain('XLEN')
    expect(shown).toMatch(options.length === 0 ? /5\) "proto"\r\n *6\) \(integer\) 2/ : /3# "proto" => \(integer\) 3/)
    await cli('DEL', 'typed')
  })

  test('E1 subscribes and monitors', async () => {
    const subscriber = start('redis-cli', ['-p', String(served.port), 'PSUBSCRIBE', 'news.*'])
    for (const word of ['psubscribe', 'news.*', '1']) expect(await subscriber.line()).toContain(word)
    // Only now, so that the first thing it sees is the PUBLISH.
    const watcher = start('redis-cli', ['-p', String(served.port), 'MONITOR'])
    try {
      expect(await watcher.line()).toBe('OK')
      expect(await cli('PUBLISH', 'news.kr', '안녕')).toBe('1\n')
      for (const word of ['pmessage', 'news.*', 'news.kr', '안녕']) expect(await subscriber.line()).toBe(word)
      expect(await watcher.line()).toMatch(/"PUBLISH" "news\.kr" "\\xec\\x95\\x88\\xeb\\x85\\x95"/)
    } finally {
      await subscriber.stop()
      await watcher.stop()
    }
  })
})

describe.skipIf(!installed('redis-benchmark'))('redis-benchmark', () => {
  test('E1 runs its own tests and any command', async () => {
    const served = await startServed()
    try {
      const port = String(served.port)
      const out = await run('redis-benchmark', [
        '-p',
        port,
        '-n',
        '2000',
        '-c',
        '20',
        '-P',
        '8',
        '-q',
        '-t',
        'ping,set,get,incr',
      ])
      expect(out).toContain('SET:')
      expect(out).not.toContain('ERR')
      await run('redis-benchmark', [
        '-p',
        port,
        '-n',
        '2000',
        '-c',
        '20',
        '-P',
        '8',
        '-r',
        '5',
        '-q',
        'XADD',
        's__rand_int__',
        '*',
        'f',
        'v',
      ])
      const lengths = await run(
        'redis-cli',
        ['-p', port],
        Array.from({ length: 5 }, (_, i) => `XLEN s${String(i).padStart(12, '0')}\n`).join(''),
      )
      expect(
        lengths
          .trim()
          .split('\n')
          .reduce((sum, line) => sum + Number(line), 0),
      ).toBe(2000)
    } finally {
      await served.stop()
    }
  })
})
