/** A member of a group. */
export class Consumer {
  /** Last attempt to read or claim, ms since epoch. */
  seenTime: number
  /** Last time it was given an entry, ms since epoch; -1 = never. */
  activeTime = -1
  /** Entries delivered to it and not acknowledged; kept by the group's PendingList. */
  pending = 0

  constructor(
    /** Latin1: one character a byte. */
    readonly name: string,
    /** Small number that stands for the consumer in the group's PendingList; used again after it was removed. */
    readonly index: number,
    seenTime: number,
  ) {
    this.seenTime = seenTime
  }
}
