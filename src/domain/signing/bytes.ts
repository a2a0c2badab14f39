/** Whether two byte strings are the same (not in constant time: for public values). */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])

/** The bytes as one number, least significant first, as Ed25519 writes its numbers (RFC 8032 section 5.1). */
export const littleEndian = (bytes: Uint8Array): bigint => {
  let n = 0n
  for (let i = bytes.length - 1; i >= 0; i--) n = (n << 8n) | BigInt(bytes[i] ?? 0)
  return n
}

const encoder = new TextEncoder()
const slabBytes = 65_536
let slab = new Uint8Array(slabBytes)
let used = 0

/**
 * A text in UTF-8. Short ones share memory blocks, never a byte: a block of its own for each request costs more than the
 * encoding.
 */
export const utf8 = (text: string): Uint8Array => {
  // At most three bytes a UTF-16 unit.
  const most = text.length * 3
  if (most > slabBytes / 4) return encoder.encode(text)
  if (most > slabBytes - used) {
    slab = new Uint8Array(slabBytes)
    used = 0
  }
  const { written } = encoder.encodeInto(text, slab.subarray(used))
  const bytes = slab.subarray(used, used + written)
  used += written
  return bytes
}
