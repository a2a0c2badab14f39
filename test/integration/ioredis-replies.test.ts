/** Replies that are none: whatever a server sends, a command fails, and the process lives. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { expect } from "vitest"
import { failureOf, withRedis } from "../support/redis-checks.ts"
import { waitUntil } from "../support/redis-server.ts"
import { nestedReply, ReplyServer } from "../support/reply-server.ts"

const answering = (reply: string) =>
  Effect.acquireRelease(
    Effect.promise(() => ReplyServer.start(reply)),
    (server) => Effect.promise(() => server.stop())
  )

// An error thrown outside of the command's reach would be an unhandled one, which fails the run.
describe("a reply that cannot be read fails its command and closes the connection, telling why", () => {
  it.live.each([
    ["nested 50,000 levels deep", nestedReply(50_000), /nested too deeply/],
    ["no Redis protocol", "HTTP/1.1 400 Bad Request\r\n\r\n", /does not speak the Redis protocol/],
    ["a push message", ">2\r\n+message\r\n+x\r\n", /push message/],
    ["a push message of nothing", ">1\r\n_\r\n", /push message/]
  ] as const)("%s", ([, reply, problem]) =>
    Effect.gen(function* () {
      const server = yield* answering(reply)
      yield* withRedis({ url: server.url }, (redis) =>
        Effect.gen(function* () {
          const { kind, error } = yield* failureOf(redis.send("XLEN", "stream"))
          assert.strictEqual(kind, "Unavailable")
          expect(String(error.cause)).toMatch(problem)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["nothing", "*-1\r\n"],
    ["an error", "-ERR no\r\n"],
    ["a list of lists", nestedReply(2_000)]
  ] as const)("%s that nobody asked for, behind an answer", ([, stray]) =>
    Effect.gen(function* () {
      const server = yield* answering(`:7\r\n${stray}`)
      yield* withRedis({ url: server.url }, (redis) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* redis.send("XLEN", "stream"), 7)
          yield* Effect.promise(() => waitUntil("a new connection is made", () => server.connections > 1))
          // It is made; whether the login is through as well shows by an answer.
          const answered = Effect.retry(redis.send("XLEN", "stream"), {
            schedule: Schedule.spaced("20 millis"),
            times: 500
          })
          assert.strictEqual(yield* answered, 7)
        })
      )
    }).pipe(Effect.scoped)
  )
})
