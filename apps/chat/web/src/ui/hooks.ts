import { useEffect, useReducer, useState } from 'preact/hooks'
import type { Chat } from '../state/chat.js'

/** Renders again whenever the chat changed. */
export function useChat(chat: Chat): void {
  const [, render] = useReducer((count: number) => count + 1, 0)
  useEffect(() => chat.subscribe(() => render(undefined)), [chat])
}

/** The time, renewed every `every` ms while `running`. */
export function useNow(every: number, running = true): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!running) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), every)
    return () => clearInterval(timer)
  }, [every, running])
  return now
}

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches)
  useEffect(() => {
    const list = matchMedia(query)
    const update = () => setMatches(list.matches)
    update()
    list.addEventListener('change', update)
    return () => list.removeEventListener('change', update)
  }, [query])
  return matches
}
