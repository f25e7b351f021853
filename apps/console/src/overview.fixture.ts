import type { Group, Overview, Topic } from './api.js'

export function group(name: string, over: Partial<Group> = {}): Group {
  return {
    name,
    lag: { kind: 'exact', entries: 0, seconds: 0 },
    pending: 0,
    oldestPendingSeconds: null,
    consumers: [],
    dead: 0,
    state: 'healthy',
    lastDeliveredId: '0-0',
    outRate: 0,
    ...over,
  }
}

export function topic(name: string, groups: Group[], over: Partial<Topic> = {}): Topic {
  return {
    name,
    partitions: 1,
    length: 0,
    firstId: null,
    lastId: null,
    entriesAdded: 0,
    memory: null,
    scheduled: { waiting: 0, nextDue: null },
    inRate: 0,
    groups,
    ...over,
  }
}

export function overview(at: number, topics: Topic[]): Overview {
  return {
    at,
    server: {
      kind: 'embedded',
      version: '0.1.0',
      cluster: false,
      address: 'memory:',
      durability: 'memory',
      uptime: 1,
      warnings: [],
    },
    topics,
  }
}
