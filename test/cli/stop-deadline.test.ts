import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import { stopDeadline } from "../../src/cli/stopDeadline.ts"

describe("a stop that hangs", () => {
  it.effect("ends the process after SHUTDOWN_TIMEOUT and its grace, and says which loop hangs", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      let ended = 0
      const begins = yield* Deferred.make<void>()
      const watching = yield* stopDeadline(Deferred.await(begins), {
        shutdownTimeout: Duration.seconds(25),
        unfinished: () => ["config-sync"],
        end: Effect.sync(() => {
          ended += 1
        })
      }).pipe(
        Effect.provide(Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))])),
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(ended, 0, "nothing ends a service that nobody stops")
      yield* Deferred.succeed(begins, undefined)
      yield* TestClock.adjust("34 seconds")
      assert.deepStrictEqual([ended, lines], [0, []])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(watching)
      assert.strictEqual(ended, 1)
      const [line = ""] = lines
      assert.match(line, /"message":"stop.hung"/)
      assert.match(line, /"unfinished":\["config-sync"\],"limit_ms":35000/)
    })
  )
})
