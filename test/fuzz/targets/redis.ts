/** Bytes that a server of Redis's protocol may send, and the shapes that every command's answer is read by. */
import { EventEmitter } from "node:events"
import { Cause, Effect, Exit, Layer } from "effect"
import type { Redis as IoRedis } from "ioredis"
import * as EventStreamsLayer from "../../../src/layers/redis/EventStreams.ts"
import { readReplies } from "../../../src/layers/redis/ioredis/replies.ts"
import { EventStreams } from "../../../src/services/EventStreams.ts"
import { EventStreamsError } from "../../../src/services/EventStreamsError.ts"
import { Redis } from "../../../src/services/Redis.ts"
import { bytesOf, mustHold, type Target } from "../target.ts"

/** The bytes of a connection decoded as the service does: its replies, and why it was closed. */
const decoded = (bytes: Buffer): { readonly replies: ReadonlyArray<unknown>; readonly closed: string | undefined } => {
  const replies: Array<unknown> = []
  let closed: string | undefined
  const stream = Object.assign(new EventEmitter(), {
    destroy: (error: Error) => {
      closed ??= error.message
    }
  })
  const command = { resolve: (reply: unknown) => replies.push(reply), reject: (error: unknown) => replies.push(error) }
  readReplies({ stream, commandQueue: { shift: () => ({ command }) } } as unknown as IoRedis, () => {})
  // In two parts, as the network may bring them.
  const half = bytes.length >> 1
  stream.emit("data", bytes.subarray(0, half))
  if (closed === undefined) stream.emit("data", bytes.subarray(half))
  return { replies, closed }
}

const consumer = { group: "g", name: "c" }
const asked = (streams: EventStreams["Service"]): ReadonlyArray<Effect.Effect<unknown, EventStreamsError>> => [
  streams.serverInfo,
  Effect.scoped(Effect.flatMap(streams.reader, ({ readNew }) => readNew("s", consumer, 1, 0))),
  streams.groupStart("s", "g"),
  streams.move({ from: "s", to: "t", consumer, id: "1-1", remove: true, fields: ["a", "1"] }),
  streams.renew("s", consumer, ["1-1"]),
  streams.adopt("s", consumer, [{ id: "1-1", deliveries: 1 }]),
  streams.take("s", consumer, "1-1", 1),
  streams.pendingOf("s", consumer, "-", 1),
  streams.holding("s", "g", "1-1"),
  streams.claimIdle("s", consumer, 1, "0-0", 1),
  streams.streamInfo("s"),
  streams.groupInfo("s", "g"),
  streams.consumers("s", "g"),
  streams.longestIdle("s", "g", 1),
  streams.range("s", "-", "+", 1),
  streams.replay("s", "1-1", "t", ["a", "1"])
]

/** What each method makes of a reply: never a defect. */
const readBy = (reply: unknown): string => {
  const send = () => Effect.succeed(reply)
  const driver = Redis.of({ send, reserve: Effect.succeed({ send }) } as unknown as Redis["Service"])
  const program = Effect.flatMap(EventStreams, (streams) => Effect.forEach(asked(streams), (ask) => Effect.exit(ask)))
  const exits = Effect.runSync(
    Effect.provide(program, Layer.provide(EventStreamsLayer.layer, Layer.succeed(Redis, driver)))
  )
  return exits
    .map((exit, index) => {
      if (Exit.isSuccess(exit)) return index
      const error = Cause.squash(exit.cause)
      mustHold(error instanceof EventStreamsError, `a defect in method ${index}: ${String(error)}`)
      return ""
    })
    .join()
}

export const resp: Target = {
  name: "resp",
  seeds: [
    ["+OK\r\n:1\r\n$-1\r\n*-1\r\n$3\r\na\r\n\r\n"],
    ["*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n"],
    ["*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:5\r\n:1\r\n"],
    ["*3\r\n$3\r\n0-0\r\n*1\r\n$3\r\n1-1\r\n*0\r\n"],
    ["*4\r\n$6\r\nlength\r\n:1\r\n$11\r\nfirst-entry\r\n*2\r\n$3\r\n1-1\r\n*0\r\n"],
    ["*2\r\n:1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n"],
    ["-ERR no such key\r\n-NOGROUP gone\r\n%1\r\n+a\r\n:1\r\n~1\r\n:1\r\n_\r\n#t\r\n,1.5\r\n(123\r\n=5\r\ntxt:a\r\n"],
    [">2\r\n+a\r\n:1\r\n"],
    ["*1\r\n".repeat(5_000)]
  ],
  words: [
    "\r\n",
    "*1\r\n",
    "$1\r\na\r\n",
    ":1\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "*2147483648\r\n",
    "$4294967296\r\n",
    "-ERR x\r\n"
  ],
  attempt: ([text = ""]) => {
    const { closed, replies } = decoded(bytesOf(text))
    const [first] = replies
    return `${closed} ${replies.length === 0} ${first === undefined || first instanceof Error ? "" : readBy(first)}`
  }
}
