import { useEffect, useState } from 'preact/hooks'
import { request } from '../request.js'

/** The time, renewed every second while `running`. */
export function useNow(running: boolean): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!running) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [running])
  return now
}

export interface Loaded<Answer> {
  answer: Answer | null
  problem: string | null
}

/**
 * What `path` answers, asked again whenever `renew` changes; the last answer stays on screen meanwhile. Another path starts
 * from nothing.
 */
export function useLoaded<Answer>(path: string, renew: unknown): Loaded<Answer> {
  const [state, setState] = useState<Loaded<Answer> & { path: string }>({ path, answer: null, problem: null })
  useEffect(() => {
    const controller = new AbortController()
    request<Answer>(path, { signal: controller.signal })
      .then((answer) => setState({ path, answer, problem: null }))
      .catch((error: unknown) => {
        if (controller.signal.aborted) return
        const problem = error instanceof Error ? error.message : String(error)
        setState((before) => ({ path, answer: before.path === path ? before.answer : null, problem }))
      })
    return () => controller.abort()
  }, [path, renew])
  return state.path === path ? state : { answer: null, problem: null }
}
