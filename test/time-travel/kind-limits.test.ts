/** Kinds with limits of their own (contract section 9): `concurrency` in a process, `rateLimit` over all replicas; at exact instants. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Logger, Schema, Scope } from "effect"
import { EventKind, JobCollector, type JobCollectorOptions } from "../../src/index.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { Redis } from "../../src/services/Redis.ts"
import { patientClock } from "../support/patient-clock.ts"
import { abandonedEvents, addEvent, dlq, pendingCount } from "../support/streams.ts"
import { ScriptedApi, success, testPrivateKey, travel, withCollector } from "../support/time-machine.ts"

const stream = "shop:events:order"

const Order = Schema.Struct({ order_id: Schema.NonEmptyString })

const orders = (limits: { readonly concurrency?: number; readonly rateLimit?: string }) =>
  EventKind.make({
    name: "order",
    stream,
    schema: Order,
    request: ({ order_id }) => ({ path: "/api/orders", body: { order_id }, idempotencyKey: order_id }),
    ...limits
  })

const add = (redis: Redis["Service"], from: number, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => `o-${from + i}`),
    (id) => redis.send("XADD", stream, "*", "order_id", id),
    { discard: true }
  )

const isOrder = ({ path }: { readonly path: string }) => path === "/api/orders"

/** The most orders in flight at a time, each for so long. */
const mostAtOnce = (api: ScriptedApi, lasts: number): number => {
  const at = api.attempts.filter(isOrder).map((attempt) => attempt.at)
  return Math.max(0, ...at.map((now) => at.filter((start) => start <= now && now < start + lasts).length))
}

const usual = { groupStartId: "0" }

/** What is in flight comes to its end, or the stop would wait for it. */
const toItsEnd = Effect.ensuring(travel(60_000, 2_000))

describe("a kind's concurrency", () => {
  it.effect.each([1, 3])("has no more than %d of its requests in flight, and slows no other kind", (concurrency) => {
    const api = new ScriptedApi()
    api.answer = ({ path }) => (path === "/api/orders" ? { status: 200, body: {}, delay: 1_000 } : success)
    return withCollector(api, { ...usual, kinds: [orders({ concurrency })] }, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, 0, 60)
        yield* travel(10_000, 100)
        for (let i = 0; i < 50; i++) yield* addEvent(redis, `t-${i}`)
        yield* travel(1_000, 100)
        assert.strictEqual(api.delivered.filter((id) => id.startsWith("t-")).length, 50)
        yield* travel(5_000, 100)
        assert.strictEqual(mostAtOnce(api, 1_000), concurrency)
        // It makes use of what it has: one with a single permit looks for the next ten times a second.
        assert.isAtLeast(api.attempts.filter(isOrder).length, concurrency === 1 ? 13 : 14 * concurrency)
      }).pipe(toItsEnd)
    )
  })

  it.effect("holds for its retries as well, none of which is lost or given up for waiting", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt, path }) =>
      path !== "/api/orders" ? success : attempt === 1 ? { status: 500 } : { status: 200, body: {}, delay: 1_000 }
    const options = { ...usual, circuitBreaker: false, maxDeliveries: 2, kinds: [orders({ concurrency: 2 })] }
    return withCollector(api, options, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, 0, 40)
        yield* travel(60_000, 100)
        const second = api.attempts.filter(({ attempt }) => attempt === 2)
        assert.strictEqual(second.length, 40)
        const atOnce = second.map(({ at }) => second.filter((other) => other.at <= at && at < other.at + 1_000).length)
        assert.strictEqual(Math.max(...atOnce), 2)
        // Forty of a second each, two at a time, from when the first are due.
        assert.isBelow((second.at(-1)?.at ?? 0) - (second[0]?.at ?? 0), 23_000)
        assert.strictEqual(api.delivered.length, 40)
        assert.strictEqual(yield* pendingCount(redis, dlq), 0)
        assert.deepStrictEqual(yield* abandonedEvents(redis), [])
      }).pipe(toItsEnd)
    )
  })
})

/** A replica until the test is over. */
const replica = (api: ScriptedApi, consumerName: string, options: Partial<JobCollectorOptions>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Effect.forkDetach(Scope.close(scope, Exit.void)))
    const layer = JobCollector.layer({
      apiBaseUrl: "http://api.test",
      ...usual,
      healthInterval: Duration.minutes(10),
      ...options,
      consumerName,
      configSync: undefined
    }).pipe(Layer.provide([api.layer, NativeSigner.layer(testPrivateKey), Logger.layer([])]))
    yield* Scope.provide(Layer.build(Layer.fresh(layer)), scope)
  })

const world = <A, E>(test: Effect.Effect<A, E, Redis | Scope.Scope>) =>
  test.pipe(
    Effect.scoped,
    Effect.provide(Layer.merge(MemoryRedis.layer.pipe(Layer.provide(patientClock)), patientClock))
  )

describe("a kind's rate", () => {
  it.effect("holds over two replicas together, and slows no other kind", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ ...success, delay: 20 })
    const kinds = [orders({ rateLimit: "10 per second" })]
    return world(
      Effect.gen(function* () {
        const redis = yield* Redis
        yield* add(redis, 0, 200)
        yield* replica(api, "a", { kinds })
        yield* replica(api, "b", { kinds })
        yield* travel(5_000, 20)
        for (let i = 0; i < 100; i++) yield* addEvent(redis, `t-${i}`)
        yield* travel(2_000, 20)
        assert.strictEqual(api.delivered.filter((id) => id.startsWith("t-")).length, 100)
        yield* travel(3_000, 20)
        const at = api.attempts.filter(isOrder).map((attempt) => attempt.at)
        const within = (from: number) => at.filter((time) => time >= from && time < from + 1_000).length
        // A batch of each replica may be spent at once.
        for (let from = 0; from < 9_000; from += 100) assert.isAtMost(within(from), 13, `from ${from}`)
        assert.isAtLeast(at.length, 92)
        assert.isAtMost(at.length, 104)
      })
    )
  })

  it.effect("has each request at its instant", () => {
    const api = new ScriptedApi()
    return withCollector(api, { ...usual, kinds: [orders({ rateLimit: "1 per minute" })] }, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, 0, 3)
        yield* travel(130_000, 500)
        const [first = 0, ...others] = api.attempts.filter(isOrder).map((attempt) => attempt.at)
        assert.isAtMost(first, 500)
        assert.deepStrictEqual(
          others.map((at) => Math.round((at - first) / 1_000)),
          [60, 120]
        )
      })
    )
  })

  it.effect("that is none, or a concurrency below one, is named among the wrong options", () =>
    Effect.gen(function* () {
      const layer = JobCollector.layer({
        apiBaseUrl: "http://api.test",
        kinds: [orders({ rateLimit: "often", concurrency: 0 })]
      }).pipe(Layer.provide([new ScriptedApi().layer, MemoryRedis.layer, NativeSigner.layer(testPrivateKey)]))
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.deepStrictEqual(error._tag === "OptionsError" ? error.problems.map(({ option }) => option) : [], [
        "kinds[0].concurrency",
        "kinds[0].rateLimit"
      ])
    })
  )
})
