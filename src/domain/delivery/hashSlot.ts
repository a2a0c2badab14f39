/** Where a key lives in a Redis Cluster (Redis Cluster specification, "Key distribution model"). */

const encoder = new TextEncoder()

/** CRC-16/XMODEM: polynomial 0x1021, start 0. */
const crc16 = (bytes: Uint8Array): number => {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc
}

/** The part of a key that decides its slot: the text between the first `{` and the next `}`, where there is any, else all. */
export const hashTag = (key: string): string => {
  const open = key.indexOf("{")
  const close = open < 0 ? -1 : key.indexOf("}", open + 1)
  return close > open + 1 ? key.slice(open + 1, close) : key
}

/** The hash slot of a key: 0 to 16,383. */
export const hashSlot = (key: string): number => crc16(encoder.encode(hashTag(key))) % 16_384

/** Whether all keys lie in one slot, so that one script can touch them. */
export const shareSlot = (keys: ReadonlyArray<string>): boolean => new Set(keys.map(hashSlot)).size <= 1
