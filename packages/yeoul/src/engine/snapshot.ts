import type { EffectSink } from './aof/effect-buffer.js'
import type { EngineState } from './commands/command.js'

export function snapshot(_engine: EngineState, _sink: EffectSink): Iterator<unknown> {
  throw new Error('unfinished')
}
