/** What Redis refuses while the collector runs: a password or a permission that was taken away, and given back or not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestConsole } from "effect/testing"
import { JobCollector } from "../../src/JobCollector.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"
import { addEvent } from "../support/streams.ts"
import { ScriptedApi, travel, withCollector } from "../support/time-machine.ts"

const noPermission = "NOPERM User collector has no permissions to run the 'xreadgroup' command"

/** A Redis that refuses reads for as long as it is told to. */
const refusing = (isRefused: () => boolean) => (redis: Redis["Service"]) => {
  const send = <A>(name: string, ...args: ReadonlyArray<string>): Effect.Effect<A, RedisError> =>
    Effect.suspend(() =>
      name === "XREADGROUP" && isRefused()
        ? Effect.fail(new RedisError({ cause: new Error(noPermission) }))
        : redis.send<A>(name, ...args)
    )
  return Redis.of({ ...redis, send, reserve: Effect.map(redis.reserve, (own) => ({ ...own, send })) })
}

const failures = Effect.map(TestConsole.logLines, (lines) =>
  lines.map(String).filter((line) => line.includes("redis.failed"))
)

describe("a permission that is taken away while it is used", () => {
  it.effect("shows in health, is given a minute, and is forgotten where it comes back", () => {
    let refused = false
    const api = new ScriptedApi()
    return withCollector(
      api,
      {},
      (redis) =>
        Effect.gen(function* () {
          const { health, join } = yield* JobCollector
          const end = yield* Effect.forkChild(Effect.flip(join))
          yield* travel(10_000)
          for (let i = 0; i < 3; i++) {
            refused = true
            // A read that waited was begun before.
            yield* travel(55_000)
            const { checks, status } = yield* health.report
            assert.deepStrictEqual([status, checks.consumer_groups.status], ["down", "down"])
            assert.include(checks.consumer_groups.problem, noPermission)
            assert.isFalse((yield* health.ready).ready)
            assert.isTrue((yield* health.live).live)
            refused = false
            yield* addEvent(redis, `event-${i}`)
            yield* travel(15_000)
            assert.isTrue((yield* health.ready).ready)
            assert.strictEqual(api.delivered.length, i + 1)
          }
          assert.isUndefined(end.pollUnsafe())
          yield* Fiber.interrupt(end)
        }),
      undefined,
      refusing(() => refused)
    )
  })

  it.effect("ends the run after a minute without it, naming the command", () => {
    let refused = false
    return withCollector(
      new ScriptedApi(),
      {},
      () =>
        Effect.gen(function* () {
          const { join } = yield* JobCollector
          const end = yield* Effect.forkChild(Effect.flip(join))
          yield* travel(10_000)
          refused = true
          yield* travel(58_000)
          assert.isUndefined(end.pollUnsafe())
          yield* travel(15_000)
          const error = yield* Fiber.join(end)
          assert.strictEqual(error._tag, "RedisRefused")
          assert.include(error.message, noPermission)
          // Three readers, each at once and after 10 seconds and a minute at most; not each time of hundreds.
          assert.isAtMost((yield* failures).length, 9)
        }),
      undefined,
      refusing(() => refused)
    )
  })
})
