/** Whether two byte strings are the same (not in constant time: for public values). */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])

/** The bytes as one number, least significant first, as Ed25519 writes its numbers (RFC 8032 section 5.1). */
export const littleEndian = (bytes: Uint8Array): bigint => {
  let n = 0n
  for (let i = bytes.length - 1; i >= 0; i--) n = (n << 8n) | BigInt(bytes[i] ?? 0)
  return n
}
