/** A gateway that was not heard of for so long is gone, ms. */
const SILENT = 30_000

/** Who is online where, over all gateways: as of the last word of each. */
export class Presence {
  readonly #others = new Map<string, { heardAt: number; rooms: Map<string, string[]> }>()

  /** Answers the rooms whose people may have changed. */
  heard(gateway: string, rooms: Record<string, string[]>, all: boolean, now: number): string[] {
    let known = this.#others.get(gateway)
    const changed = new Set(Object.keys(rooms))
    if (known === undefined || all) {
      for (const room of known?.rooms.keys() ?? []) changed.add(room)
      known = { heardAt: now, rooms: new Map() }
      this.#others.set(gateway, known)
    }
    known.heardAt = now
    for (const [room, users] of Object.entries(rooms)) {
      if (users.length > 0) known.rooms.set(room, users)
      else known.rooms.delete(room)
    }
    return [...changed]
  }

  /** Drops gateways that fell silent; answers the rooms they had people in. */
  expire(now: number): string[] {
    const changed: string[] = []
    for (const [gateway, { heardAt, rooms }] of this.#others) {
      if (now - heardAt <= SILENT) continue
      this.#others.delete(gateway)
      changed.push(...rooms.keys())
    }
    return changed
  }

  online(room: string, here: Iterable<string>): string[] {
    const users = new Set(here)
    for (const { rooms } of this.#others.values()) for (const user of rooms.get(room) ?? []) users.add(user)
    return [...users].sort()
  }
}
