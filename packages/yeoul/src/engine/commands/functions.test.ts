import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Engine } from '../engine.js'
import { keyPositions } from '../key-positions.js'
import { Request } from '../resp/request.js'
import type { Session } from '../session.js'
import { builtInFunctions } from './function-steps.js'

describe('FCALL of the built-in library', () => {
  let engine: Engine
  let session: Session

  beforeEach(async () => {
    engine = await Engine.open()
    session = engine.createSession()
  })

  afterEach(() => engine.close())

  const run = (...args: (string | number)[]): string => {
    session.output.rewind(0)
    engine.execute(session, Request.of(...args))
    return session.output.bytes.toString('latin1', 0, session.output.length)
  }

  test('a function runs, and a reader that waits is served after it', () => {
    const reader = engine.createSession()
    engine.execute(reader, Request.of('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$'))
    expect(reader.output.length).toBe(0)
    expect(run('FCALL', 'yeoul_append', 3, 's', 'o', 'q', '', 1, 'k', '', '', 'data', 'x')).toMatch(
      /^\*3\r\n\$\d+\r\n\d+-0\r\n:0\r\n:1\r\n$/,
    )
    expect(reader.output.bytes.toString('latin1', 0, reader.output.length)).toContain('$4\r\n_seq\r\n$1\r\n1\r\n')
  })

  test('refusals are those of Redis', () => {
    expect(run('FCALL', 'nothing', 0)).toBe('-ERR Function not found\r\n')
    expect(run('FCALL', 'yeoul_info', 'x')).toBe('-ERR Bad number of keys provided\r\n')
    expect(run('FCALL', 'yeoul_info', 3, 's')).toBe("-ERR Number of keys can't be greater than number of args\r\n")
    expect(run('FCALL', 'yeoul_info', -1)).toBe("-ERR Number of keys can't be negative\r\n")
    expect(run('FCALL_RO', 'yeoul_checkpoint', 1, 'c', 'g', '1-1')).toMatch(/^-ERR Can not execute a script with write/)
    expect(run('FCALL', 'yeoul_info', 0)).toMatch(/^-ERR yeoul_info takes 2 key/)
    expect(run('FCALL', 'yeoul_settle', 1, 's', 'g')).toMatch(/^-ERR yeoul_settle takes at least 2 argument/)
    expect(run('FCALL', 'yeoul_settle', 1, 's', 'g', 'c', '1-1')).toMatch(/^-NOGROUP|^-ERR a delivery is/)
    expect(run('FCALL', 'yeoul_appendall', 1, 's', 2, 2, 'a', 'b')).toMatch(/^-ERR an entry names a stream/)
    expect(run('FCALL', 'yeoul_appendall', 1, 's', 1, 4, 'a', 'b')).toMatch(/^-ERR an entry needs names and values/)
    expect(run('FUNCTION', 'LOAD', '#!lua name=x')).toMatch(/^-ERR this server runs no Lua/)
    expect(engine.databases[0].size).toBe(0)
  })

  test('short of memory: appending is refused, acknowledging is not', () => {
    run('FCALL', 'yeoul_ensuregroup', 2, 's', 'c', 'g', '0')
    run('CONFIG', 'SET', 'maxmemory', 1)
    expect(run('FCALL', 'yeoul_appendall', 1, 's', 1, 2, 'a', 'b')).toMatch(/^-OOM /)
    expect(run('FCALL', 'yeoul_settle', 1, 's', 'g', 'c')).toBe('*0\r\n')
    expect(run('FCALL_RO', 'yeoul_info', 2, 's', 't')).toMatch(/^\*10\r\n/)
  })

  test('FUNCTION LIST names the library and its functions', () => {
    const listed = run('FUNCTION', 'LIST', 'LIBRARYNAME', 'y*')
    for (const { name } of builtInFunctions) expect(listed).toContain(name)
    expect(run('FUNCTION', 'LIST', 'LIBRARYNAME', 'other')).toBe('*0\r\n')
  })

  test('keys of a call are found by their number', () => {
    const { keys } = engine.table.get('fcall')!
    expect(keyPositions(keys, Request.of('FCALL', 'f', 2, 'a', 'b', 'c'))).toEqual([3, 4])
    expect(keyPositions(keys, Request.of('FCALL', 'f', 99, 'a'))).toEqual([3])
    expect(keyPositions(keys, Request.of('FCALL', 'f', 'x', 'a'))).toEqual([])
  })
})
