/**
 * Bytes that may not be UTF-8 as text: bad bytes 0x80–0xFF stand as the lone surrogates U+DC80–U+DCFF, which no UTF-8
 * decodes to, so nothing is lost and a reader can tell.
 */

const encoder = new TextEncoder()
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const ESCAPED = /[\udc80-\udcff]/

const continues = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80

/** How many bytes of UTF-8 make the character that begins here (Unicode, table 3-7); 0 where none does. */
const characterAt = (bytes: Uint8Array, at: number): number => {
  const lead = bytes[at] ?? 0
  if (lead < 0x80) return 1
  if (lead < 0xc2 || lead > 0xf4) return 0
  const second = bytes[at + 1]
  if (second === undefined || !continues(second)) return 0
  if (lead < 0xe0) return 2
  if ((lead === 0xe0 && second < 0xa0) || (lead === 0xed && second > 0x9f) || !continues(bytes[at + 2])) return 0
  if (lead < 0xf0) return 3
  return (lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second > 0x8f) || !continues(bytes[at + 3]) ? 0 : 4
}

const codePointAt = (bytes: Uint8Array, at: number, length: number): number => {
  let point = (bytes[at] ?? 0) & (0xff >> (length + 1))
  for (let i = 1; i < length; i++) point = (point << 6) | ((bytes[at + i] ?? 0) & 0x3f)
  return point
}

/** As many arguments as a call may surely have. */
const CHUNK = 8_192

const textOfUnits = (units: Uint16Array): string => {
  let text = ""
  for (let at = 0; at < units.length; at += CHUNK) {
    text += String.fromCharCode.apply(undefined, units.subarray(at, at + CHUNK) as unknown as Array<number>)
  }
  return text
}

/** Byte by byte and without an exception for each bad one: a megabyte of them would take seconds. */
const escapedText = (bytes: Uint8Array): string => {
  const units = new Uint16Array(bytes.length)
  let size = 0
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] ?? 0
    const length = characterAt(bytes, at)
    const point = length === 0 ? 0xdc00 + byte : length === 1 ? byte : codePointAt(bytes, at, length)
    if (point > 0xffff) units[size++] = 0xd7c0 + (point >> 10)
    units[size++] = point > 0xffff ? 0xdc00 + (point & 0x3ff) : point
    at += Math.max(1, length)
  }
  return textOfUnits(units.subarray(0, size))
}

/** Text of a Redis string, its non-UTF-8 bytes escaped as lone surrogates. */
export const textOfBytes = (bytes: Uint8Array): string => {
  try {
    return strict.decode(bytes)
  } catch {
    return escapedText(bytes)
  }
}

/** Whether text holds escaped bytes, that is: the Redis string it came from is not UTF-8. */
export const hasEscapedBytes = (text: string): boolean => ESCAPED.test(text) && !text.isWellFormed()

/** Writes a character that is not ASCII in UTF-8, by hand as it is read; half a surrogate pair as the replacement: where it ends. */
const putCharacter = (bytes: Uint8Array, at: number, character: number): number => {
  const point = character >= 0xd800 && character <= 0xdfff ? 0xfffd : character
  const length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  bytes[at] = ((0xf00 >> length) & 0xff) | (point >> (6 * (length - 1)))
  for (let i = 1; i < length; i++) bytes[at + i] = 0x80 | ((point >> (6 * (length - 1 - i))) & 0x3f)
  return at + length
}

/** The bytes of a text, escaped bytes restored: the inverse of {@link textOfBytes}. */
export const bytesOfText = (text: string): Uint8Array => {
  if (!hasEscapedBytes(text)) return encoder.encode(text)
  const bytes = new Uint8Array(text.length * 3)
  let size = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80) bytes[size++] = unit
    else if (unit >= 0xdc80 && unit <= 0xdcff) bytes[size++] = unit - 0xdc00
    else {
      const point = text.codePointAt(at) ?? 0
      size = putCharacter(bytes, size, point)
      if (point > 0xffff) at += 1
    }
  }
  return bytes.slice(0, size)
}
