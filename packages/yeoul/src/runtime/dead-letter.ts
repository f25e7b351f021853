import type { Attempt } from './attempt.js'
import { FIELD, producerFields, writeFailures } from './entry-fields.js'
import type { DeadReason } from './events.js'
import type { Holdings } from './holdings.js'
import { deadStream } from './keys.js'
import { insist, type Member, report } from './member.js'

/** Moves what cannot succeed to the group's dead letters: appended there and acknowledged here in one step. */
export class DeadLetterMove<T> {
  constructor(
    private readonly member: Member,
    private readonly holdings: Holdings<T>,
    private readonly onLost: (attempt: Attempt<T>) => void,
  ) {}

  async bury(attempt: Attempt<T>, reason: DeadReason, error: unknown): Promise<void> {
    attempt.state = 'burying'
    const { store, stream, topic, group, consumer, events, metrics } = this.member
    const { message } = attempt
    const target = { stream: deadStream(stream, group), fields: this.letter(attempt, reason) }
    try {
      let uncertain = false
      const letterId = await insist(this.member, 'dead-lettering', (perhaps) => {
        uncertain = perhaps
        return store.deadLetter(stream, group, consumer, attempt, target)
      })
      if (letterId === null && !uncertain) {
        this.onLost(attempt)
        return
      }
      metrics.dead++
      this.holdings.remove(attempt)
      const { id, attempt: count } = message
      events.emit('dead-letter', { topic, group, id, letterId: letterId ?? '', reason, attempt: count, error })
    } catch (refused) {
      report(this.member, refused, `dead-lettering ${topic} ${message.id} for group ${group}`)
      this.holdings.giveUp(attempt)
    }
  }

  private letter(attempt: Attempt<T>, reason: DeadReason): (string | Buffer)[] {
    const { message } = attempt
    const fields: (string | Buffer)[] = [
      ...producerFields(message.raw),
      FIELD.origin,
      message.id,
      FIELD.group,
      this.member.group,
      FIELD.reason,
      reason,
      FIELD.attempts,
      String(message.attempt),
      FIELD.diedAt,
      String(this.member.clock.now()),
      FIELD.consumer,
      this.member.consumer,
      FIELD.failures,
      writeFailures(attempt.failures),
    ]
    const redriven = message.fields.get(FIELD.redriven)
    if (redriven) fields.push(FIELD.redriven, redriven)
    return fields
  }
}
