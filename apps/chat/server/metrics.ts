import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Ledger } from './protocol.js'

/** How often the event loop is looked at, ms; the sample includes this interval, the exported delay does not. */
const LOOP_RESOLUTION = 10

/** What the chat counts: in Prometheus' registry for operators, and the same numbers as the ledger for the page and for tests. */
export class ChatMetrics {
  readonly ledger: Ledger = {
    sent: 0,
    logged: 0,
    stored: 0,
    delivered: 0,
    duplicatesSuppressed: 0,
    gapsDetected: 0,
    gapsFilled: 0,
    connections: 0,
  }
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION })
  readonly #recovered: Counter<'result'>
  readonly #refused: Counter<'code'>
  readonly #behind: Counter
  readonly #slow: Counter
  readonly #logged: Histogram
  readonly #saved: Histogram

  /** Adds the chat's metrics to `registry`. */
  constructor(registry: Registry) {
    const registers = [registry]
    this.#loop.enable()
    this.#recovered = new Counter({
      name: 'chat_recover_total',
      help: 'Catch-ups of connections: complete, jumped (too far behind, newest only), failed',
      labelNames: ['result'],
      registers,
    })
    this.#refused = new Counter({
      name: 'chat_refused_total',
      help: 'Frames refused, by reason',
      labelNames: ['code'],
      registers,
    })
    this.#behind = new Counter({
      name: 'chat_slow_behind_total',
      help: 'Times that bodies were held back from a connection that reads too slowly',
      registers,
    })
    this.#slow = new Counter({
      name: 'chat_slow_disconnect_total',
      help: 'Connections ended because they read nothing any more',
      registers,
    })
    this.#logged = new Histogram({
      name: 'chat_send_to_log_seconds',
      help: 'From the frame of a message to its place in the log',
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    })
    this.#saved = new Histogram({
      name: 'chat_db_save_lag_seconds',
      help: 'From the log to the database',
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    })
    const counter = (name: string, help: string, of: () => number) =>
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset()
          this.inc(of())
        },
      })
    counter('chat_messages_sent_total', 'Messages accepted from browsers', () => this.ledger.sent)
    counter('chat_messages_logged_total', 'Messages that got a place in the log', () => this.ledger.logged)
    counter('chat_messages_stored_total', 'Messages written to the database', () => this.ledger.stored)
    counter('chat_delivered_total', 'Messages handed to browsers', () => this.ledger.delivered)
    counter(
      'chat_duplicate_sends_total',
      'Sends whose client id was in the log already',
      () => this.ledger.duplicatesSuppressed,
    )
    counter('chat_gap_detected_total', 'Holes noticed in the live path of a room', () => this.ledger.gapsDetected)
    counter('chat_gap_filled_total', 'Holes filled from log or database', () => this.ledger.gapsFilled)
    const gauge = (name: string, help: string, of: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(of())
        },
      })
    gauge('chat_connections', 'Browsers connected', () => this.ledger.connections)
    const loop = this.#loop
    new Gauge({
      name: 'chat_event_loop_delay_seconds',
      help: 'Delay of the event loop since it was last asked for',
      labelNames: ['quantile'],
      registers,
      collect() {
        const delay = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - LOOP_RESOLUTION / 1e3)
        this.set({ quantile: '0.5' }, delay(loop.percentile(50)))
        this.set({ quantile: '0.99' }, delay(loop.percentile(99)))
        this.set({ quantile: '1' }, delay(loop.max))
        loop.reset()
      },
    })
  }

  recovered(result: 'complete' | 'jumped' | 'failed'): void {
    this.#recovered.inc({ result })
  }

  refused(code: string): void {
    this.#refused.inc({ code })
  }

  behind(): void {
    this.#behind.inc()
  }

  slowDisconnect(): void {
    this.#slow.inc()
  }

  sendToLog(seconds: number): void {
    this.#logged.observe(seconds)
  }

  saveLag(seconds: number): void {
    this.#saved.observe(seconds)
  }

  close(): void {
    this.#loop.disable()
  }
}
