/**
 * The `Redis` service is Effect's own, which knows no driver, so that a host app can bring the driver it has.
 *
 * Strings: a Redis string that is not UTF-8 is held as text whose bad bytes 0x80–0xFF stand as the lone surrogates
 * U+DC80–U+DCFF, which no UTF-8 decodes to, so nothing is lost on the way through a stream and the decoder can tell.
 */
export { Redis, RedisError } from "effect/persistence/Redis"

const encoder = new TextEncoder()
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder("utf-8", { ignoreBOM: true })
const ESCAPED = /[\udc80-\udcff]/

const wholeCharacterAt = (bytes: Uint8Array, at: number): number => {
  const lead = bytes[at] ?? 0
  const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  try {
    strict.decode(bytes.subarray(at, at + length))
    return at + length <= bytes.length ? length : 0
  } catch {
    return 0
  }
}

/** Text of a Redis string, its non-UTF-8 bytes escaped as lone surrogates. */
export const textOfBytes = (bytes: Uint8Array): string => {
  try {
    return strict.decode(bytes)
  } catch {
    let text = ""
    for (let at = 0; at < bytes.length; ) {
      const length = wholeCharacterAt(bytes, at)
      text +=
        length === 0 ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0)) : lenient.decode(bytes.subarray(at, at + length))
      at += Math.max(1, length)
    }
    return text
  }
}

/** Whether text holds escaped bytes, that is: the Redis string it came from is not UTF-8. */
export const hasEscapedBytes = (text: string): boolean => ESCAPED.test(text) && !text.isWellFormed()

/** The bytes of a text, escaped bytes restored: the inverse of {@link textOfBytes}. */
export const bytesOfText = (text: string): Uint8Array => {
  if (!hasEscapedBytes(text)) return encoder.encode(text)
  const parts: Array<Uint8Array> = []
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Uint8Array.of(code - 0xdc00) : encoder.encode(char))
  }
  const bytes = new Uint8Array(parts.reduce((n, part) => n + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
