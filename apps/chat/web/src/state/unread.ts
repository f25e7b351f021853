/**
 * How many members of a room have not read a message yet: members minus those whose read position has reached it. Its author
 * has read it by writing it. Derived from positions at every call, so it cannot drift.
 */
export function unreadBy(members: number, reads: ReadonlyMap<string, number>, seq: number, author: string): number {
  let read = 0
  let authorCounted = false
  for (const [user, position] of reads) {
    if (user === author) authorCounted = true
    if (user === author || position >= seq) read++
  }
  if (!authorCounted) read++
  return Math.max(0, Math.max(members, reads.size) - read)
}

/** The number on a room's pill. */
export function unreadCount(top: number, read: number): number {
  return Math.max(0, top - read)
}

/** Read positions never move back, whatever order receipts come in. True when it moved. */
export function advanceRead(reads: Map<string, number>, user: string, seq: number): boolean {
  const position = reads.get(user)
  if (position !== undefined && position >= seq) return false
  reads.set(user, seq)
  return true
}
