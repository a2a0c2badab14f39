/** Bytes that come in any pieces, cut into lines. */

const NEWLINE = 10

const joined = (parts: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only
  const all = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Cuts bytes into lines. Of a line longer than `most` bytes the rest is passed over: `undefined` stands for it. */
export const makeByteLines = (most: number) => {
  let parts: Array<Uint8Array> = []
  let length = 0

  const add = (part: Uint8Array): void => {
    length += part.length
    if (length > most) parts = []
    else if (part.length > 0) parts.push(part)
  }
  const take = (): Uint8Array | undefined => {
    const line = length > most ? undefined : joined(parts, length)
    parts = []
    length = 0
    return line
  }

  return {
    /** The lines that end in these bytes. */
    push: (bytes: Uint8Array): ReadonlyArray<Uint8Array | undefined> => {
      const lines: Array<Uint8Array | undefined> = []
      let from = 0
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
        add(bytes.subarray(from, end))
        lines.push(take())
        from = end + 1
      }
      add(bytes.subarray(from))
      return lines
    },
    /** The last line, where no newline ends it. */
    end: (): ReadonlyArray<Uint8Array | undefined> => (length === 0 ? [] : [take()])
  }
}
