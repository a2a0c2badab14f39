import { bytesOfText, hasEscapedBytes, textOfBytes } from "../../../services/Redis.ts"

/** What a bad byte becomes in an ordinary decoding: its absence proves the bytes were UTF-8. */
const REPLACEMENT = "\ufffd"

/**
 * A reply as text, its bytes that are not UTF-8 escaped (see `services/Redis`). An error within a reply keeps only its
 * message. Lists are changed in place: a reply has no other reader.
 */
export const textOfReply = (reply: unknown): unknown => {
  if (Buffer.isBuffer(reply)) {
    const text = reply.toString()
    return text.includes(REPLACEMENT) ? textOfBytes(reply) : text
  }
  if (Array.isArray(reply)) {
    for (let at = 0; at < reply.length; at++) reply[at] = textOfReply(reply[at])
    return reply
  }
  return reply instanceof Error ? new Error(reply.message) : reply
}

/** Arguments as they are sent: text, or bytes where it holds escaped ones. */
export const argumentsOfText = (args: ReadonlyArray<string>): Array<string | Buffer> =>
  args.map((arg) => (hasEscapedBytes(arg) ? Buffer.from(bytesOfText(arg)) : arg))
