import type { Redis } from "ioredis"
import { Decoder, RESP_TYPES } from "ioredis/built/resp/decoder.js"

/** Strings stay bytes; the shapes are those of RESP2, which is what is spoken. */
const shapes = {
  [RESP_TYPES.SIMPLE_STRING]: Buffer,
  [RESP_TYPES.BLOB_STRING]: Buffer,
  [RESP_TYPES.VERBATIM_STRING]: Buffer,
  [RESP_TYPES.BIG_NUMBER]: String,
  [RESP_TYPES.MAP]: Array,
  [RESP_TYPES.SET]: Array
}

class Unreadable extends Error {}

/**
 * Gives a fresh connection's replies to its commands, with ioredis's decoder in the place of its reply handler: that one
 * throws where nobody can catch it, which ends the process, on a null that nobody asked for and on an odd push message.
 * Here whatever a command cannot be answered with closes the connection, which says why. Call it on `connect`, before
 * the first byte is read.
 */
export const readReplies = (client: Redis): void => {
  const { stream, commandQueue } = client
  const next = () => {
    const item = commandQueue.shift()
    if (item === undefined) throw new Unreadable("it sent a reply that nothing had asked for")
    return item.command
  }
  const decoder = new Decoder({
    getTypeMapping: () => shapes,
    onReply: (reply) => next().resolve(reply),
    onErrorReply: (error) => next().reject(error),
    onPush: () => {
      throw new Unreadable("it sent a push message, which RESP2 does not have")
    }
  })
  stream.removeAllListeners("data")
  stream.on("data", (bytes: Buffer) => {
    try {
      decoder.write(bytes)
    } catch (error) {
      stream.destroy(new Error(problemOf(error)))
    }
  })
}

const problemOf = (error: unknown): string => {
  if (error instanceof Unreadable) return error.message
  return error instanceof RangeError && /call stack/.test(error.message)
    ? "its reply is nested too deeply to be read"
    : "it does not speak the Redis protocol"
}
