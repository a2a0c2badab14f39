import { bytesOfText, hasEscapedBytes, textOfBytes } from "../../../services/Redis.ts"

/** What a bad byte becomes in an ordinary decoding: its absence proves the bytes were UTF-8. */
const REPLACEMENT = "\ufffd"

/** The text of bytes from a reply, those that are not UTF-8 escaped (see `services/Redis`). */
export const textAt = (bytes: Buffer, start: number, end: number): string => {
  const text = bytes.toString("utf8", start, end)
  return text.includes(REPLACEMENT) ? textOfBytes(bytes.subarray(start, end)) : text
}

/** Arguments as they are sent: text, or bytes where it holds escaped ones. */
export const argumentsOfText = (args: ReadonlyArray<string>): Array<string | Buffer> =>
  args.map((arg) => (hasEscapedBytes(arg) ? Buffer.from(bytesOfText(arg)) : arg))
