import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { make } from "effect/persistence/Redis"
import { TestClock } from "effect/testing"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import { layer as memory } from "../../src/layers/redis/memory/MemoryRedis.ts"
import { EventStreams } from "../../src/services/EventStreams.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"

const consumer = { group: "g", name: "a" }

/** A driver with one connection to lend; what it sends over the shared one is noted. */
const oneToLend = (shared: Array<ReadonlyArray<string>>, acquireTimeout?: "1 second") =>
  Layer.effect(
    Redis,
    Effect.gen(function* () {
      const { send } = yield* Redis
      return yield* make({
        send: (...command) =>
          Effect.andThen(
            Effect.sync(() => shared.push(command)),
            send(...command)
          ) as never,
        connect: Effect.succeed({ send, close: Effect.void }),
        subscribe: () => Effect.fail(new RedisError({ cause: "unused" })),
        pool: { maxConnections: 1, acquireTimeout }
      })
    })
  ).pipe(Layer.provide(memory))

describe("a reader for whom the pool has no connection", () => {
  for (const acquireTimeout of [undefined, "1 second"] as const) {
    const patience = acquireTimeout === undefined ? "without an end" : `for ${acquireTimeout}`
    it.effect(`that makes it wait ${patience}: reads over the shared one without waiting, until it is lent one`, () => {
      const shared: Array<ReadonlyArray<string>> = []
      const scene = Effect.gen(function* () {
        const streams = yield* EventStreams
        yield* streams.createGroup("s", "g", "0")
        const scope = yield* Scope.fork(yield* Effect.scope)
        const first = yield* Scope.provide(streams.reader, scope)
        const opening = yield* Effect.forkScoped(streams.reader)
        yield* TestClock.adjust("2 seconds")
        assert.isDefined(opening.pollUnsafe(), "it waits no longer")
        const second = yield* Fiber.join(opening)
        assert.deepStrictEqual([first.canWait(), second.canWait()], [true, false])
        shared.length = 0
        assert.deepStrictEqual(yield* second.readNew("s", consumer, 1, 60_000), [])
        assert.deepStrictEqual(shared, [["XREADGROUP", "GROUP", "g", "a", "COUNT", "1", "STREAMS", "s", ">"]])
        yield* Scope.close(scope, Exit.void)
        assert.isFalse(second.canWait())
        yield* TestClock.adjust("30 seconds")
        assert.isTrue(second.canWait())
      })
      return Effect.provide(
        Effect.scoped(scene),
        EventStreamsLayer.layer.pipe(Layer.provide(oneToLend(shared, acquireTimeout)))
      )
    })
  }
})
