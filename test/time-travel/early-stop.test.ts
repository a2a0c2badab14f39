/** A start that is called off, at every command of it: nothing is left behind that would hold up the next. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import { JobCollector } from "../../src/JobCollector.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"
import { patientClock } from "../support/patient-clock.ts"
import { ScriptedApi, settle, testPrivateKey, travel } from "../support/time-machine.ts"

/** What becomes of a command while which the start is called off. */
type Fate = "is not sent" | "is not answered"

/** A driver's patience. */
const unanswered = Effect.delay(Effect.fail(new RedisError({ cause: new Error("Command timed out") })), 5_000)

/** Redis whose command of a number, and whatever comes after it, is never answered; `count` says how many there were. */
const silentFrom = (engine: Redis["Service"], nth: number, fate: Fate) => {
  const seen = { count: 0, over: false }
  const through =
    (send: Redis["Service"]["send"]): Redis["Service"]["send"] =>
    (command, ...args) =>
      Effect.suspend(() => {
        seen.count += 1
        if (seen.over || seen.count < nth) return send(command, ...args)
        return fate === "is not sent" ? unanswered : Effect.andThen(send(command, ...args), unanswered)
      })
  const redis: Redis["Service"] = {
    ...engine,
    send: through(engine.send),
    reserve: Effect.map(engine.reserve, (own) => ({ ...own, send: through(own.send) }))
  }
  return { redis, seen }
}

const startOn = (redis: Redis["Service"], scope: Scope.Scope) =>
  Layer.buildWithScope(
    JobCollector.layer({ apiBaseUrl: "http://api.test", consumerName: "steady" }).pipe(
      Layer.provide(
        Layer.mergeAll(
          Layer.succeed(Redis, redis),
          new ScriptedApi().layer,
          NativeSigner.layer(testPrivateKey),
          Logger.layer([])
        )
      )
    ),
    scope
  )

/** The name that a collector takes within a second of its start. */
const nameTaken = (redis: Redis["Service"]) =>
  Effect.gen(function* () {
    const context = yield* startOn(redis, yield* Effect.scope)
    yield* travel(1_000, 100)
    const { checks } = yield* Effect.provide(
      Effect.flatMap(JobCollector, ({ health }) => health.report),
      context
    )
    return checks.consumer_groups.consumer
  }).pipe(Effect.scoped)

/** Calls a start off in the middle of its command of a number: how many commands it came to. */
const callOff = (engine: Redis["Service"], nth: number, fate: Fate) =>
  Effect.gen(function* () {
    const { redis, seen } = silentFrom(engine, nth, fate)
    const scope = yield* Scope.make()
    yield* startOn(redis, scope)
    yield* settle
    // The process's connection is well: what comes after the one that was called off goes through.
    seen.over = true
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
    yield* settle
    // A read that does not wait is seen to its end.
    for (let waited = 0; closing.pollUnsafe() === undefined && waited < 10_000; waited += 500) yield* travel(500, 500)
    assert.isDefined(closing.pollUnsafe(), `command ${nth}`)
    return seen.count
  })

const onFreshRedis = <A, E>(test: (engine: Redis["Service"]) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.flatMap(Redis, test).pipe(Effect.provide(MemoryRedis.layer), Effect.scoped, Effect.provide(patientClock))

describe("a scope that closes", () => {
  it.effect("before anything was sent leaves nothing behind", () =>
    onFreshRedis((engine) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        yield* startOn(engine, scope)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* nameTaken(engine), "steady")
      })
    )
  )

  for (const fate of ["is not sent", "is not answered"] as const) {
    it.effect(`while a command of the start ${fate}, whichever, leaves the name to the next at once`, () =>
      Effect.gen(function* () {
        // Until it is called off after all that a start asks.
        for (let nth = 1, asked = 1; asked >= nth; nth++) {
          const name = yield* onFreshRedis((engine) =>
            Effect.gen(function* () {
              asked = yield* callOff(engine, nth, fate)
              return yield* nameTaken(engine)
            })
          )
          assert.strictEqual(name, "steady", `command ${nth}`)
        }
      })
    )
  }
})
