import { afterEach, describe, expect, it } from 'vitest'
import { Engine, type EngineOptions } from './engine.js'
import { Request } from './resp/request.js'
import type { Session } from './session.js'

const open: Engine[] = []

async function engine(options: EngineOptions = {}): Promise<Engine> {
  const created = await Engine.open(options)
  open.push(created)
  return created
}

afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

/** Sends words, answers the reply's bytes with line ends shown as `|`. */
function send(target: Engine, session: Session, ...words: (string | number)[]): string {
  target.execute(session, Request.of(...words))
  return session.output.take().toString('latin1').replaceAll('\r\n', '|')
}

describe('engine', () => {
  it('carries a stream from XADD to acknowledged', async () => {
    const it = await engine()
    const session = it.createSession()
    expect(send(it, session, 'XADD', 's', '1-1', 'f', 'v')).toBe('$3|1-1|')
    expect(send(it, session, 'xgroup', 'create', 's', 'g', '0')).toBe('+OK|')
    expect(send(it, session, 'XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 10, 'STREAMS', 's', '>')).toBe(
      '*1|*2|$1|s|*1|*2|$3|1-1|*2|$1|f|$1|v|',
    )
    expect(send(it, session, 'XPENDING', 's', 'g')).toBe('*4|:1|$3|1-1|$3|1-1|*1|*2|$1|c|$1|1|')
    expect(send(it, session, 'XACK', 's', 'g', '1-1')).toBe(':1|')
    expect(send(it, session, 'XPENDING', 's', 'g')).toBe('*4|:0|$-1|$-1|*-1|')
  })
})
