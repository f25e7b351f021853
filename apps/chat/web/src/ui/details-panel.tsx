import { useEffect, useState } from 'preact/hooks'
import type { Ledger } from '../../../server/protocol.js'
import type { Chat } from '../state/chat.js'
import { http } from '../state/http.js'
import type { Room } from '../state/room.js'
import type { Key } from '../text/strings.js'
import { Avatar } from './avatar.js'
import { PanelFrame } from './panel-frame.js'
import { useText } from './text-context.js'

const LEDGER_EVERY = 3_000

export function DetailsPanel({ chat, room, onClose }: { chat: Chat; room: Room; onClose: () => void }) {
  const { t } = useText()
  const online = new Set(room.online)
  const names = [...new Set([...room.reads.keys(), ...room.online])].sort(
    (a, b) => Number(online.has(b)) - Number(online.has(a)) || a.localeCompare(b),
  )
  return (
    <PanelFrame title={t('room.details')} closeLabel={t('details.close')} onClose={onClose}>
      <section class="pad">
        <h3 class="list-heading">
          {t('details.members')} <span class="muted">{room.memberCount}</span>
        </h3>
        <ul class="member-list">
          {names.map((name) => {
            const here = online.has(name)
            const position = room.reads.get(name)
            return (
              <li key={name}>
                <Avatar name={name} size={32} online={here} />
                <span class="member-words">
                  <span class="ellipsis">
                    {name}
                    {name === chat.user && <span class="tag">{t('details.you')}</span>}
                  </span>
                  <small class="muted">
                    {t(here ? 'details.onlineWord' : 'details.offline')}
                    {position !== undefined && ` · ${t('details.readUpTo', { n: position })}`}
                  </small>
                </span>
              </li>
            )
          })}
        </ul>
      </section>
      <LedgerCard durability={chat.durability} />
    </PanelFrame>
  )
}

function LedgerCard({ durability }: { durability: string }) {
  const { t } = useText()
  const [ledger, setLedger] = useState<Ledger | null>(null)
  useEffect(() => {
    let stopped = false
    const ask = () => {
      if (document.visibilityState !== 'visible') return
      http.ledger().then(
        (answer) => !stopped && setLedger(answer),
        () => !stopped && setLedger(null),
      )
    }
    ask()
    const timer = setInterval(ask, LEDGER_EVERY)
    return () => {
      stopped = true
      clearInterval(timer)
    }
  }, [])

  const fact = (words: Key, value: string) => (
    <div>
      <dt>{t(words)}</dt>
      <dd>{value}</dd>
    </div>
  )
  const number = (value: number | undefined) => (value === undefined ? '–' : value.toLocaleString())
  const level = durability === 'always' || durability === 'everysec' || durability === 'memory' ? durability : 'unknown'
  return (
    <section class="pad">
      <h3 class="list-heading">
        {t('details.ledger')} <span class="muted">{t('details.ledgerHint')}</span>
      </h3>
      <dl class="ledger">
        {fact('details.logged', number(ledger?.logged))}
        {fact('details.stored', number(ledger?.stored))}
        {fact('details.delivered', number(ledger?.delivered))}
        {fact('details.duplicates', number(ledger?.duplicatesSuppressed))}
        {fact('details.gaps', `${number(ledger?.gapsDetected)} / ${number(ledger?.gapsFilled)}`)}
      </dl>
      <p class="muted durability">
        {t('details.durability')}: <strong>{t(`durability.${level}`)}</strong>
      </p>
    </section>
  )
}
