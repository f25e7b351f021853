import type { Pause } from './pause.js'

/** What the server around an engine offers to the administrative commands. Without one they answer a clear error. */
export interface Host {
  readonly port: number
  readonly pause: Pause
  /** Ends the server cleanly: SHUTDOWN. */
  shutdown(): void
}
