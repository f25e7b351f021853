/** What decides the slot of a key in a cluster: the text between the first `{` and the next `}`, when there is any. */
export function hashTag(key: string): string {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  return close > open + 1 ? key.slice(open + 1, close) : key
}

/** CRC16 (XMODEM: polynomial 0x1021, start 0) of the hash tag, modulo 16384, as the cluster specification has it. */
export function slotOf(key: string): number {
  let crc = 0
  for (const byte of Buffer.from(hashTag(key))) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1
  }
  return crc & 16383
}
