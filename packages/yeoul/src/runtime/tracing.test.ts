import {
  type Context,
  type ContextManager,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanOptions,
  trace,
} from '@opentelemetry/api'
import { afterEach, expect, it } from 'vitest'
import { MemoryStore, World } from '../testing/memory-store.js'
import { VirtualClock } from '../testing/virtual-clock.js'
import { tracingEnabled } from './tracing.js'
import { Yeoul } from './yeoul.js'

interface Recorded {
  name: string
  options: SpanOptions
  parent: string | undefined
  own: string
  ended: boolean
  failed: boolean
}

/** As little of an SDK as shows what the runtime asks of one. */
function registerSdk(): Recorded[] {
  const spans: Recorded[] = []
  trace.setGlobalTracerProvider({
    getTracer: () => ({
      startSpan(name: string, options: SpanOptions, parent: Context) {
        const own = String(spans.length + 1).padStart(16, '0')
        const recorded: Recorded = {
          name,
          options,
          parent: trace.getSpanContext(parent ?? context.active())?.spanId,
          own,
          ended: false,
          failed: false,
        }
        spans.push(recorded)
        const spanContext: SpanContext = { traceId: '1'.repeat(32), spanId: own, traceFlags: 1 }
        const span = {
          spanContext: () => spanContext,
          setAttribute: () => span,
          recordException: () => {
            recorded.failed = true
          },
          setStatus: () => span,
          end: () => {
            recorded.ended = true
          },
        }
        return span as unknown as Span
      },
      startActiveSpan: () => {
        throw new Error('the runtime starts its spans itself')
      },
    }),
  })
  propagation.setGlobalPropagator({
    fields: () => ['traceparent'],
    inject(from, carrier, setter) {
      const span = trace.getSpanContext(from)
      if (span) setter.set(carrier, 'traceparent', `00-${span.traceId}-${span.spanId}-01`)
    },
    extract(into, carrier, getter) {
      const [, traceId, spanId] = String(getter.get(carrier, 'traceparent')).split('-')
      return trace.setSpanContext(into, { traceId, spanId, traceFlags: 1, isRemote: true })
    },
  })
  const stack: Context[] = [ROOT_CONTEXT]
  const manager: ContextManager = {
    active: () => stack[stack.length - 1],
    with(active, work, self, ...args) {
      stack.push(active)
      try {
        return work.call(self as never, ...args)
      } finally {
        stack.pop()
      }
    },
    bind: (_context, target) => target,
    enable: () => manager,
    disable: () => manager,
  }
  context.setGlobalContextManager(manager)
  return spans
}

afterEach(() => {
  trace.disable()
  propagation.disable()
  context.disable()
})

it('R20 publish and every attempt are spans of one trace, through the entry’s fields', async () => {
  expect(tracingEnabled()).toBe(false)
  const spans = registerSdk()
  expect(tracingEnabled()).toBe(true)
  const clock = new VirtualClock()
  const yeoul = await Yeoul.open(new MemoryStore(new World(clock)), { clock })
  const orders = yeoul.topic<string>('orders')
  const active: (string | undefined)[] = []
  const worker = orders.worker(
    'billing',
    (message) => {
      active.push(trace.getActiveSpan()?.spanContext().spanId)
      if (message.attempt === 1) throw new Error('once')
    },
    { backoff: { type: 'fixed', base: '1s' } },
  )
  await worker.start()
  await orders.publish('a')
  await clock.until(() => active.length === 2 && worker.health.held === 0)
  expect(spans.map((span) => [span.name, span.parent, span.ended, span.failed])).toEqual([
    ['publish orders', undefined, true, false],
    ['process orders', spans[0].own, true, true],
    ['process orders', spans[0].own, true, false],
  ])
  expect(active).toEqual([spans[1].own, spans[2].own])
  expect(spans[2].options.attributes).toMatchObject({
    'messaging.consumer.group.name': 'billing',
    'yeoul.attempt': 2,
  })
  void yeoul.close()
})

it('R20 a batch is one span with a link to the publish of each of its messages', async () => {
  const spans = registerSdk()
  const clock = new VirtualClock()
  const yeoul = await Yeoul.open(new MemoryStore(new World(clock)), { clock })
  const orders = yeoul.topic<string>('orders')
  const active: (string | undefined)[] = []
  const worker = orders.batchWorker(
    'billing',
    () => {
      active.push(trace.getActiveSpan()?.spanContext().spanId)
      if (active.length === 1) throw new Error('once')
    },
    { backoff: { type: 'fixed', base: '1s', jitter: 0 } },
  )
  await orders.publishMany(['a', 'b'])
  await worker.start()
  await clock.until(() => active.length === 2 && worker.health.held === 0)
  const batches = spans.filter(({ name }) => name === 'process orders')
  expect(batches.map(({ ended, failed, parent }) => [ended, failed, parent])).toEqual([
    [true, true, undefined],
    [true, false, undefined],
  ])
  for (const { options } of batches) {
    expect(options.links?.map((link) => link.context.spanId)).toEqual([spans[0].own, spans[1].own])
    expect(options.attributes).toMatchObject({ 'messaging.batch.message_count': 2 })
  }
  expect(active).toEqual(batches.map(({ own }) => own))
  void yeoul.close()
})
