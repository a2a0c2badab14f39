/** A rate holds over all replicas of a group together: replicas on one Redis under the TestClock (contract section 6). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Exit, Layer, Logger, Scope } from "effect"
import { storedRules } from "../../src/domain/traffic/rules.ts"
import { JobCollector, type JobCollectorOptions } from "../../src/JobCollector.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { Redis } from "../../src/services/Redis.ts"
import { patientClock } from "../support/patient-clock.ts"
import { abandonedEvents, addEvent, group, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, testPrivateKey, travel } from "../support/time-machine.ts"

const rulesKey = `{${transcribe}}:rules:${group}`
const rateKey = `{${transcribe}}:rate:${group}`
const perSecond = (count: number) => ({ count, perMs: 1_000 })

/** A replica until the test is over, or until it leaves. */
const replica = (api: ScriptedApi, consumerName: string, options: Partial<JobCollectorOptions> = {}) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Effect.forkDetach(Scope.close(scope, Exit.void)))
    const layer = JobCollector.layer({
      apiBaseUrl: "http://api.test",
      groupStartId: "0",
      healthInterval: Duration.minutes(10),
      ...options,
      consumerName,
      configSync: undefined
    }).pipe(Layer.provide([api.layer, NativeSigner.layer(testPrivateKey), Logger.layer([])]))
    const collector = yield* Scope.provide(Layer.build(Layer.fresh(layer)), scope)
    return {
      health: Context.get(collector, JobCollector).health,
      leave: Effect.forkDetach(Scope.close(scope, Exit.void))
    }
  })

const world = <A, E>(test: Effect.Effect<A, E, Redis | Scope.Scope>) =>
  test.pipe(
    Effect.scoped,
    Effect.provide(Layer.merge(MemoryRedis.layer.pipe(Layer.provide(patientClock)), patientClock))
  )

const addEvents = (count: number, name = "e") =>
  Redis.use((redis) => Effect.forEach(Array.from({ length: count }), (_, i) => addEvent(redis, `${name}-${i}`)))

const setRules = (rate: { readonly count: number; readonly perMs: number } | undefined) =>
  Redis.use((redis) =>
    rate === undefined
      ? redis.send("DEL", rulesKey)
      : redis.send("SET", rulesKey, storedRules([{ kind: "limit", rate, at: 0, by: "anna" }]))
  )

const send = (command: string, ...args: ReadonlyArray<string>) => Redis.use((redis) => redis.send(command, ...args))

/** How many requests were made from one time to another. */
const between = (api: ScriptedApi, from: number, to: number): number =>
  api.attempts.filter(({ at }) => at >= from && at < to).length

const quick = () => {
  const api = new ScriptedApi()
  api.answer = () => ({ ...success, delay: 20 })
  return api
}

describe("a rate", () => {
  it.effect("holds over three replicas together, while one joins and one goes", () => {
    const api = quick()
    const deliveryRate = perSecond(100)
    return world(
      Effect.gen(function* () {
        yield* addEvents(4_000)
        yield* replica(api, "a", { deliveryRate })
        const { leave } = yield* replica(api, "b", { deliveryRate })
        yield* travel(10_000, 10)
        yield* replica(api, "c", { deliveryRate })
        yield* travel(10_000, 10)
        yield* leave
        yield* travel(10_000, 10)
        const all = between(api, 0, 30_000)
        assert.isAtLeast(all, 2_850)
        assert.isAtMost(all, 3_030)
        for (let from = 1_000; from < 29_000; from += 500) {
          const made = between(api, from, from + 1_000)
          assert.isAtMost(made, 130, `from ${from} on`)
          assert.isAtLeast(made, 80, `from ${from} on`)
        }
      })
    )
  })

  it.effect("by rule begins and ends while the collector runs, lower than DELIVERY_RATE only", () => {
    const api = quick()
    return world(
      Effect.gen(function* () {
        yield* addEvents(3_000)
        yield* replica(api, "a", { deliveryRate: perSecond(100) })
        yield* travel(10_000, 10)
        assert.closeTo(between(api, 5_000, 10_000), 500, 15)
        yield* setRules({ count: 600, perMs: 60_000 })
        yield* travel(12_000, 10)
        assert.closeTo(between(api, 12_000, 22_000), 100, 3)
        yield* setRules(perSecond(500))
        yield* travel(7_000, 10)
        assert.closeTo(between(api, 24_000, 29_000), 500, 15)
      })
    )
  })

  it.effect("of a few a minute is kept to as well, and an event that comes alone does not wait for it", () => {
    const api = quick()
    return world(
      Effect.gen(function* () {
        yield* setRules({ count: 6, perMs: 60_000 })
        yield* replica(api, "a")
        yield* travel(60_000)
        yield* addEvents(1, "alone")
        yield* travel(200, 10)
        assert.strictEqual(api.attempts.length, 1)
        yield* addEvents(100)
        const from = yield* Clock.currentTimeMillis
        yield* travel(600_000)
        assert.closeTo(between(api, from, from + 600_000), 60, 1)
      })
    )
  })

  it.effect("takes no token for what makes no request", () => {
    const api = quick()
    return world(
      Effect.gen(function* () {
        yield* setRules({ count: 6, perMs: 60_000 })
        yield* replica(api, "a")
        yield* travel(1_000)
        const redis = yield* Redis
        for (let i = 0; i < 50; i++) yield* addEvent(redis, `bad-${i}`, { audio_seconds: "-1" })
        yield* addEvent(redis, "good")
        yield* travel(2_000, 10)
        assert.strictEqual((yield* abandonedEvents(redis)).length, 50)
        assert.strictEqual(api.attempts.length, 1)
      })
    )
  })

  it.effect("whose tokens Redis refuses waits, says so in health, and goes on as soon as they come", () =>
    world(
      Effect.gen(function* () {
        const api = quick()
        yield* send("XADD", rateKey, "*", "f", "v")
        yield* addEvents(10)
        const { health } = yield* replica(api, "a", { deliveryRate: perSecond(100) })
        yield* travel(5_000)
        assert.strictEqual(api.attempts.length, 0)
        const { checks } = yield* health.report
        assert.strictEqual(checks.redis.status, "degraded")
        assert.match(checks.redis.problem ?? "", /^cannot take tokens: WRONGTYPE /)
        yield* send("DEL", rateKey)
        yield* travel(1_500)
        assert.strictEqual(api.delivered.length, 10)
        assert.strictEqual((yield* health.report).checks.redis.status, "ok")
      })
    )
  )

  it.effect("that is not set asks Redis for nothing", () =>
    world(
      Effect.gen(function* () {
        const api = quick()
        yield* addEvents(100)
        yield* replica(api, "a")
        yield* travel(10_000)
        assert.strictEqual(api.delivered.length, 100)
        const keys = yield* Redis.use((redis) => redis.send<ReadonlyArray<string>>("KEYS", "*:rate:*"))
        assert.deepStrictEqual(keys, [])
      })
    )
  )
})
