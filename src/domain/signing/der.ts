/** One DER element (X.690): its tag byte, its content, and where the next element starts. */
export interface DerElement {
  readonly tag: number
  readonly content: Uint8Array
  readonly next: number
}

/** Tags of the elements that a key is made of. */
export const DerTag = { integer: 0x02, bitString: 0x03, octetString: 0x04, oid: 0x06, sequence: 0x30 } as const

/** Reads the element at an offset: definite, minimal lengths below 64 KiB only; undefined where there is none. */
export const derElementAt = (bytes: Uint8Array, at: number): DerElement | undefined => {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  if (first === 0x80 || lengthBytes > 2) return undefined
  let length = lengthBytes === 0 ? first : 0
  for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0)
  if (lengthBytes > 0 && length < (lengthBytes === 1 ? 0x80 : 0x100)) return undefined
  const start = at + 2 + lengthBytes
  const next = start + length
  return next > bytes.length ? undefined : { tag, content: bytes.subarray(start, next), next }
}

/** All elements of a content, one after the other; undefined where the bytes are not DER to their end. */
export const derElements = (bytes: Uint8Array): ReadonlyArray<DerElement> | undefined => {
  const elements: Array<DerElement> = []
  for (let at = 0; at < bytes.length; ) {
    const element = derElementAt(bytes, at)
    if (element === undefined) return undefined
    elements.push(element)
    at = element.next
  }
  return elements
}

/** The elements of the one SEQUENCE that the bytes are; undefined where they are anything else. */
export const derSequence = (bytes: Uint8Array): ReadonlyArray<DerElement> | undefined => {
  const outer = derElementAt(bytes, 0)
  return outer?.tag === DerTag.sequence && outer.next === bytes.length ? derElements(outer.content) : undefined
}
