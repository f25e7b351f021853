/** What stands beside the conversation. */
export type Panel = 'details' | 'search' | 'bell'

/** A message to scroll to; `nonce` makes the same one a new target. */
export interface Target {
  room: string
  seq: number
  nonce: number
}
