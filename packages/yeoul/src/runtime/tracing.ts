import {
  type Context,
  context,
  type Link,
  ProxyTracerProvider,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { FIELD } from './entry-fields.js'
import type { ReceivedMessage } from './message.js'

const NO_PROVIDER = new ProxyTracerProvider().getDelegate()

/** Whether an SDK is registered; asked per message, so that one registered late counts. Without one nothing below runs. */
export function tracingEnabled(): boolean {
  const provider = trace.getTracerProvider()
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== NO_PROVIDER
}

/** A producer span around a publish; its context travels in the entry's fields. */
export function startPublish(topic: string, fields: (string | Buffer)[], batch?: number): Span {
  const span = trace.getTracer('yeoul').startSpan(`publish ${topic}`, {
    kind: SpanKind.PRODUCER,
    attributes: {
      'messaging.system': 'yeoul',
      'messaging.operation.type': 'send',
      'messaging.destination.name': topic,
      ...(batch === undefined ? {} : { 'messaging.batch.message_count': batch }),
    },
  })
  propagation.inject(trace.setSpan(context.active(), span), fields, {
    set: (carrier, name, value) => {
      if (name === FIELD.traceparent || name === FIELD.tracestate) carrier.push(name, value)
    },
  })
  return span
}

/** A consumer span around one attempt, child of the publish. */
export function startProcess(message: ReceivedMessage<unknown>, group: string, consumer: string): ProcessSpan {
  const parent = message.traceparent ? parentOf(message) : context.active()
  const span = trace.getTracer('yeoul').startSpan(
    `process ${message.topic}`,
    {
      kind: SpanKind.CONSUMER,
      attributes: {
        'messaging.system': 'yeoul',
        'messaging.operation.type': 'process',
        'messaging.destination.name': message.topic,
        'messaging.consumer.group.name': group,
        'messaging.client.id': consumer,
        'messaging.message.id': message.id,
        'yeoul.attempt': message.attempt,
      },
    },
    parent,
  )
  const active = trace.setSpan(parent, span)
  return { span, run: (work) => context.with(active, work) }
}

/** A consumer span around a batch, with a link to the publish of each of its messages. */
export function startBatch(
  messages: readonly ReceivedMessage<unknown>[],
  group: string,
  consumer: string,
): ProcessSpan {
  const topic = messages[0].topic
  const links: Link[] = []
  for (const message of messages) {
    const published = message.traceparent && trace.getSpanContext(parentOf(message))
    if (published) links.push({ context: published, attributes: { 'messaging.message.id': message.id } })
  }
  const span = trace.getTracer('yeoul').startSpan(`process ${topic}`, {
    kind: SpanKind.CONSUMER,
    links,
    attributes: {
      'messaging.system': 'yeoul',
      'messaging.operation.type': 'process',
      'messaging.destination.name': topic,
      'messaging.consumer.group.name': group,
      'messaging.client.id': consumer,
      'messaging.batch.message_count': messages.length,
    },
  })
  const active = trace.setSpan(context.active(), span)
  return { span, run: (work) => context.with(active, work) }
}

export interface ProcessSpan {
  span: Span
  /** Runs the handler with this span as the active one. */
  run<R>(work: () => R): R
}

export function endSpan(span: Span, error?: unknown): void {
  if (error !== undefined) {
    const message = error instanceof Error ? error.message : String(error)
    span.recordException(error instanceof Error ? error : message)
    span.setStatus({ code: SpanStatusCode.ERROR, message })
  }
  span.end()
}

function parentOf(message: ReceivedMessage<unknown>): Context {
  const fields = message.fields
  return propagation.extract(context.active(), fields, {
    get: (carrier, name) => carrier.get(name)?.toString('latin1'),
    keys: (carrier) => [...carrier.keys()],
  })
}
