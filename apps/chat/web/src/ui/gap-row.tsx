import { useEffect, useRef } from 'preact/hooks'
import type { Chat } from '../state/chat.js'
import type { Room } from '../state/room.js'
import { useText } from './text-context.js'

/** A hole stands where its messages belong. Live holes are filled unasked; holes in history when they come into view. */
export function GapRow({
  chat,
  room,
  gap,
}: {
  chat: Chat
  room: Room
  gap: { key: string; from: number; to: number }
}) {
  const { t } = useText()
  const element = useRef<HTMLDivElement>(null)
  const n = gap.to - gap.from + 1
  const live = room.timeline.liveAfter !== null && gap.to > room.timeline.liveAfter
  const state =
    live && room.gapState(gap.from, Date.now()) !== 'failed' ? 'loading' : room.gapState(gap.from, Date.now())

  useEffect(() => {
    if (live || !element.current) return
    const observer = new IntersectionObserver((seen) => {
      if (seen.some((entry) => entry.isIntersecting) && room.gapState(gap.from, Date.now()) === 'idle')
        void chat.fillGap(room, gap)
    })
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [chat, room, gap.from, gap.to, live])

  return (
    <div
      class={`gap ${state}`}
      ref={element}
      data-key={gap.key}
      data-testid="gap-row"
      data-from={gap.from}
      data-to={gap.to}
    >
      {state === 'failed'
        ? t('timeline.gapFailed', { n })
        : state === 'loading'
          ? t('timeline.gapLoading', { n })
          : t('timeline.gap', { n })}
      {state !== 'loading' && (
        <button type="button" class="link" onClick={() => void chat.fillGap(room, gap)}>
          {state === 'failed' ? t('timeline.retry') : t('timeline.load')}
        </button>
      )}
    </div>
  )
}
