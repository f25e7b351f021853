import type { YeoulError } from './errors.js'

/** Why a message is among the dead letters. */
export type DeadReason = 'exhausted' | 'undecodable' | 'invalid' | 'unrecoverable'

export type WorkerState = 'idle' | 'starting' | 'running' | 'stopping' | 'stopped'

interface OfGroup {
  topic: string
  group: string
}

/** Everything that happens without anybody awaiting it. */
export interface YeoulEvents {
  /** A failure in the background. The runtime goes on; `where` says what it was doing. */
  error: { error: YeoulError; where: string }
  /** What an operator should know: an evicting server, no persistence … */
  warning: { text: string }
  connected: { address: string }
  disconnected: { address: string; error: Error }
  /** An attempt failed and there will be another one in `delay` ms. */
  'attempt-failed': OfGroup & { id: string; attempt: number; error: unknown; delay: number }
  'dead-letter': OfGroup & { id: string; letterId: string; reason: DeadReason; attempt: number; error: unknown }
  /**
   * Another consumer owns the message: what this worker did with it does not count. `certain: false`: an acknowledgement was
   * repeated after a broken connection, and the first one may be why it is no longer ours.
   */
  fenced: OfGroup & { id: string; certain: boolean }
  /** Taken over from consumers that stopped answering. */
  reclaimed: OfGroup & { count: number }
  /** The group (or the whole stream) was gone on the server and has been made again at its checkpoint. */
  'group-recovered': OfGroup
  'worker-state': OfGroup & { consumer: string; state: WorkerState }
  /** The topic's bound was reached; publishing waits or rejects, as chosen. */
  full: { topic: string }
}

export type EventType = keyof YeoulEvents

/** Where the runtime's roles report to. */
export interface EventSink {
  emit<K extends EventType>(type: K, event: YeoulEvents[K]): void
}

export class Events implements EventSink {
  private readonly listeners = new Map<EventType, Set<(event: never) => void>>()

  /** `forward` hears every event too, first. */
  constructor(private readonly forward?: EventSink) {}

  on<K extends EventType>(type: K, listener: (event: YeoulEvents[K]) => void): () => void {
    let listeners = this.listeners.get(type)
    if (!listeners) {
      listeners = new Set()
      this.listeners.set(type, listeners)
    }
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /**
   * A listener that throws must not end the loop that told it: its error surfaces as a process warning. So does an `error` or
   * `warning` that nobody listens to: silence is not an option for either.
   */
  emit<K extends EventType>(type: K, event: YeoulEvents[K]): void {
    this.forward?.emit(type, event)
    const listeners = this.listeners.get(type)
    if (listeners) {
      for (const listener of listeners) {
        try {
          ;(listener as (event: YeoulEvents[K]) => void)(event)
        } catch (error) {
          warn(`a listener of '${type}' threw: ${error instanceof Error ? error.message : String(error)}`)
        }
      }
    }
    if (this.forward || (listeners && listeners.size > 0)) return
    if (type === 'error') {
      const { error, where } = event as YeoulEvents['error']
      warn(`${where}: ${error.message} ${error.advice}`)
    } else if (type === 'warning') {
      warn((event as YeoulEvents['warning']).text)
    }
  }
}

function warn(text: string): void {
  process.emitWarning(text, 'YeoulWarning')
}
