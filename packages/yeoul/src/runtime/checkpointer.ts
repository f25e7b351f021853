import { idBefore } from './entry-fields.js'
import { type Member, report } from './member.js'
import { Periodic } from './periodic.js'
import type { GroupInfo } from './store.js'

const INTERVAL = 2_000

/**
 * Writes down beside the stream how far the group has handled everything, so that a group lost on the server comes back where it
 * was. The store's own view counts: it covers all consumers of the group.
 */
export class Checkpointer {
  private readonly periodic: Periodic
  /** The last one known; also what a group is made at when stream and checkpoint are both gone. */
  last: string | undefined
  private acknowledged = -1

  constructor(private readonly member: Member) {
    this.periodic = new Periodic(
      member.clock,
      INTERVAL,
      () => this.write(),
      (error) => report(member, error, `checkpoint of ${member.topic} for group ${member.group}`),
    )
  }

  /** The first one now: a group lost a moment after its start must come back there, not at the beginning of the stream. */
  start(): void {
    this.periodic.start(true)
  }

  async stop(): Promise<void> {
    await this.periodic.stop()
    await this.write()
  }

  private async write(): Promise<void> {
    const { store, stream, group, metrics } = this.member
    const acknowledged = metrics.acknowledged + metrics.dead + metrics.rescheduled
    if (acknowledged === this.acknowledged) return
    const info = (await store.groups(stream)).find((candidate) => candidate.name === group)
    if (!info) return
    const handled = handledUpTo(info)
    if (handled !== this.last) await store.checkpoint(stream, group, handled)
    this.last = handled
    this.acknowledged = acknowledged
  }
}

/** Everything up to this id is settled by the group. */
function handledUpTo(info: GroupInfo): string {
  return info.oldestPendingId === null ? info.lastDeliveredId : idBefore(info.oldestPendingId)
}
