import type { Registry } from 'prom-client'
import { fromStore, YeoulError } from '../runtime/errors.js'
import { StoreError } from '../runtime/store.js'
import type { Topic } from '../runtime/topic.js'
import type { Yeoul } from '../runtime/yeoul.js'
import { consoleFile } from './console.js'
import { HttpError, json, readBody } from './http-error.js'
import { createRegistry } from './metrics.js'
import { publish } from './publish.js'
import { ReadModel } from './read-model.js'
import {
  deadLetterPage,
  discard,
  entryPage,
  isEntryId,
  type PageQuery,
  parseSelection,
  pendingPage,
  redrive,
} from './views.js'

export interface OperationsOptions {
  /** Topics that `POST /publish/:topic` takes messages for. Default: none. */
  publish?: readonly Topic<never, unknown>[]
  /** Largest body of a publish, bytes. Default 1 MiB. */
  bodyLimit?: number
  /** More to ask before `/healthz` says "healthy": each answers a sentence when something is wrong. */
  checks?: Record<string, () => string | undefined | Promise<string | undefined>>
}

/**
 * Everything to look at and operate a yeoul from outside, over HTTP, as one function from Request to Response: it runs in
 * Hono, in Express through an adapter, in node:http. There is no authentication here: mount it on loopback, or behind
 * what the application uses.
 *
 *   POST /publish/:topic     /metrics     /healthz     /console     /api/ops/…
 */
export class Operations {
  /** Prometheus registry behind `/metrics`: register the application's own metrics here too. */
  readonly registry: Registry
  readonly model: ReadModel
  readonly #yeoul: Yeoul
  readonly #topics: ReadonlyMap<string, Topic<unknown, unknown>>
  readonly #bodyLimit: number
  readonly #checks: NonNullable<OperationsOptions['checks']>

  constructor(yeoul: Yeoul, options: OperationsOptions = {}) {
    this.#yeoul = yeoul
    this.model = new ReadModel(yeoul)
    this.registry = createRegistry(yeoul, this.model)
    this.#topics = new Map(
      (options.publish ?? []).map((topic) => [topic.name, topic as unknown as Topic<unknown, unknown>]),
    )
    this.#bodyLimit = options.bodyLimit ?? 1024 * 1024
    this.#checks = options.checks ?? {}
  }

  /** Answers what is addressed to operations; undefined for every other path, so that the application goes on. */
  async handle(request: Request): Promise<Response | undefined> {
    const url = new URL(request.url)
    const route = ROUTES.find(({ path }) => path.test(url.pathname))
    if (route === undefined) return undefined
    try {
      if (request.method !== route.method && !(route.method === 'GET' && request.method === 'HEAD')) {
        throw new HttpError(405, 'method', `${url.pathname} takes ${route.method}, not ${request.method}.`)
      }
      const names = route.path.exec(url.pathname)!.slice(1).map(decode)
      return await this.#answer(route.name, names, request, url)
    } catch (error) {
      return refusal(error)
    }
  }

  async #answer(name: RouteName, names: string[], request: Request, url: URL): Promise<Response> {
    const [topic, group] = names
    switch (name) {
      case 'publish':
        return publish(request, topic, this.#topics, this.#bodyLimit)
      case 'metrics':
        return new Response(await this.registry.metrics(), {
          headers: { 'content-type': this.registry.contentType, 'cache-control': 'no-store' },
        })
      case 'health':
        return this.#health()
      case 'console':
        return consoleFile(url.pathname)
      case 'overview':
        return json(await this.model.overview())
      case 'entries':
        return json(await entryPage(this.#yeoul, topic, pageQuery(url)))
      case 'pending':
        return json(await pendingPage(this.#yeoul, topic, group, pageQuery(url)))
      case 'dead-letters':
        return json(await deadLetterPage(this.#yeoul, this.#topic(topic), group, pageQuery(url)))
      case 'redrive':
      case 'discard': {
        const { selection, dryRun } = parseSelection(parseJson(await readBody(request, this.#bodyLimit)))
        const letters = this.#topic(topic).deadLetters(group)
        return json(await (name === 'redrive' ? redrive : discard)(letters, selection, dryRun))
      }
    }
  }

  /** Letters go back as the bytes they were, so a topic without a schema serves for any. */
  #topic(name: string): Topic<unknown, unknown> {
    return this.#topics.get(name) ?? (this.#yeoul.topic(name, { codec: 'bytes' }) as unknown as Topic<unknown, unknown>)
  }

  async #health(): Promise<Response> {
    const health = this.#yeoul.health()
    const problems: Record<string, string> = {}
    if (!health.store.connected) problems.store = health.store.error ?? `no connection to ${health.store.address}`
    for (const worker of health.workers) {
      if (!worker.healthy) problems[`${worker.topic}/${worker.group}`] = worker.reason ?? worker.state
    }
    for (const [name, check] of Object.entries(this.#checks)) {
      const problem = await check()
      if (problem !== undefined) problems[name] = problem
    }
    const healthy = health.healthy && Object.keys(problems).length === 0
    return json({ healthy, problems, store: health.store, workers: health.workers }, healthy ? 200 : 503)
  }
}

type RouteName =
  | 'publish'
  | 'metrics'
  | 'health'
  | 'console'
  | 'overview'
  | 'entries'
  | 'pending'
  | 'dead-letters'
  | 'redrive'
  | 'discard'

const GROUP = '/api/ops/topics/([^/]+)/groups/([^/]+)'
const ROUTES: { name: RouteName; method: 'GET' | 'POST'; path: RegExp }[] = [
  { name: 'publish', method: 'POST', path: /^\/publish\/([^/]+)$/ },
  { name: 'metrics', method: 'GET', path: /^\/metrics$/ },
  { name: 'health', method: 'GET', path: /^\/healthz$/ },
  { name: 'console', method: 'GET', path: /^\/console(?:\/.*)?$/ },
  { name: 'overview', method: 'GET', path: /^\/api\/ops\/overview$/ },
  { name: 'entries', method: 'GET', path: /^\/api\/ops\/topics\/([^/]+)\/entries$/ },
  { name: 'pending', method: 'GET', path: new RegExp(`^${GROUP}/pending$`) },
  { name: 'dead-letters', method: 'GET', path: new RegExp(`^${GROUP}/dead-letters$`) },
  { name: 'redrive', method: 'POST', path: new RegExp(`^${GROUP}/dead-letters/redrive$`) },
  { name: 'discard', method: 'POST', path: new RegExp(`^${GROUP}/dead-letters/discard$`) },
]

function pageQuery(url: URL): PageQuery {
  const from = url.searchParams.get('from') ?? undefined
  if (from !== undefined && !isEntryId(from)) {
    throw new HttpError(422, 'bad_from', `'from' is an entry id such as 1700000000000-0, not '${from}'.`)
  }
  const count = Number(url.searchParams.get('count') ?? 50)
  if (!Number.isInteger(count) || count < 1 || count > 500) {
    throw new HttpError(422, 'bad_count', "'count' is a whole number from 1 to 500.")
  }
  return { from, count, reverse: url.searchParams.get('reverse') === 'true' }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new HttpError(400, 'bad_path', 'The path is not percent-encoded UTF-8.')
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new HttpError(400, 'bad_json', 'The body is not JSON.')
  }
}

function refusal(thrown: unknown): Response {
  const error = thrown instanceof StoreError ? fromStore(thrown, 'asking the store') : thrown
  if (error instanceof HttpError) return json({ error: { code: error.code, message: error.message } }, error.status)
  if (error instanceof YeoulError) {
    const status = error.code === 'INVALID_OPTION' ? 422 : error.code === 'GROUP_MISSING' ? 404 : 503
    return json({ error: { code: error.code.toLowerCase(), message: `${error.message} ${error.advice}` } }, status)
  }
  const message = error instanceof Error ? error.message : String(error)
  return json({ error: { code: 'unavailable', message: `The store did not answer: ${message}.` } }, 503)
}
