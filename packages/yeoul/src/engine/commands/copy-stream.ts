import { EntryId } from '../stream/entry-id.js'
import { Group } from '../stream/group.js'
import { type NodeLimits, Stream } from '../stream/stream.js'

/** The same entries, counters, idempotency records, groups, consumers and pending entries in a stream of its own. */
export function copyStream(source: Stream, limits: NodeLimits): Stream {
  const copy = new Stream(limits)
  const cursor = source.cursor()
  while (cursor.next()) copy.append(cursor.id, cursor.bytes, cursor.start, cursor.end, cursor.fieldCount)
  copy.lastId.set(source.lastId)
  copy.maxDeletedId.set(source.maxDeletedId)
  copy.entriesAdded = source.entriesAdded
  source.idempotency.copyTo(copy.idempotency)
  for (const group of source.groups.values()) {
    const target = new Group(group.name, group.lastId, group.entriesRead)
    for (const { name, seenTime, activeTime } of group.consumers.values()) {
      target.consumer(name, seenTime).activeTime = activeTime
    }
    group.pending.walk(EntryId.zero(), ({ id, consumer, deliveryTime, deliveryCount }) => {
      const owner = consumer === null ? null : (target.consumers.get(consumer.name) ?? null)
      target.pending.set(id, owner, deliveryTime, deliveryCount)
      return 'next'
    })
    copy.groups.set(group.name, target)
  }
  return copy
}
