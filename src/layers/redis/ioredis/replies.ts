import type { Redis } from "ioredis"
import { ReplyDecoder, ReplyError, Unreadable } from "./replyDecoder.ts"

/**
 * Gives a fresh connection's replies to its commands, in the place of ioredis's reply handler: that one throws where
 * nobody can catch it, which ends the process, on a null that nobody asked for and on an odd push message. Here whatever a
 * command cannot be answered with closes the connection, which says why. Call it on `connect`, before the first byte is
 * read. `onBytes` is told of all that comes.
 */
export const readReplies = (client: Redis, onBytes: () => void): void => {
  const { stream, commandQueue } = client
  const decoder = new ReplyDecoder((reply) => {
    const item = commandQueue.shift()
    // A server that will not serve says why before anything was asked.
    if (item === undefined && reply instanceof ReplyError) throw new Unreadable(reply.message)
    if (item === undefined) throw new Unreadable("it sent a reply that nothing had asked for")
    if (reply instanceof ReplyError) item.command.reject(reply)
    else item.command.resolve(reply)
  })
  stream.removeAllListeners("data")
  stream.on("data", (bytes: Buffer) => {
    onBytes()
    try {
      decoder.write(bytes)
    } catch (error) {
      stream.destroy(error instanceof Unreadable ? error : new Unreadable("its reply could not be taken in"))
    }
  })
}
