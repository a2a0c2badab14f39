/** The examples that need nothing real, on the memory engine: hours of theirs take no time. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { whilePaused } from "../../examples/migration.ts"
import { makeOrders, Prices } from "../../examples/own-kind.ts"
import { ownMetrics } from "../../examples/own-metrics.ts"
import { Jobs, program, Refunds } from "../../examples/two-collectors.ts"
import { Redis } from "../../src/index.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { patientClock } from "../support/patient-clock.ts"
import { addEvent, lengthOf } from "../support/streams.ts"
import { ScriptedApi, success, testPrivateKey, travel, withCollector } from "../support/time-machine.ts"

const parts = (api: ScriptedApi) => Layer.mergeAll(MemoryRedis.layer, api.layer, NativeSigner.layer(testPrivateKey))

describe("a kind with rules of its own", () => {
  it.effect("is done when the shop says so, and tried again by its own schedule until then", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt }) => ({
      status: 200,
      body: attempt < 4 ? { state: "open" } : { state: "booked", booking: "b-1" }
    })
    const prices = Layer.succeed(Prices, { of: () => Effect.succeed(5) })
    return Effect.gen(function* () {
      const redis = yield* Redis
      yield* redis.send("XADD", "shop:events:order", "*", "order_id", "o-1", "item", "tea")
      yield* travel(60_000)
      assert.deepStrictEqual(api.instants("o-1"), [0, 1_000, 3_000, 7_000])
      const [first] = api.attempts
      assert.deepStrictEqual([first?.method, first?.path, first?.headers["x-shop"]], ["PUT", "/api/orders/o-1", "7"])
      assert.deepStrictEqual(api.bodies[0], { item: "tea", price: 5 })
      assert.strictEqual(yield* lengthOf(redis, "shop:events:dlq"), 0)
    }).pipe(
      Effect.provide(makeOrders("http://shop.test")),
      Effect.provide(Layer.merge(parts(api), prices)),
      Effect.provide(patientClock)
    )
  })
})

describe("two collectors in one app", () => {
  it.effect("deliver to an API each, keep their metrics apart, and end together", () => {
    const api = new ScriptedApi()
    return Effect.gen(function* () {
      const redis = yield* Redis
      yield* addEvent(redis, "evt-1")
      yield* redis.send("XADD", "shop:refunds", "*", "event_id", "r-1", "cents", "250")
      yield* travel(1_000)
      assert.deepStrictEqual(api.attempts.map(({ eventId, path }) => `${eventId} ${path}`).sort(), [
        "evt-1 /api/jobs/add",
        "r-1 /api/refunds"
      ])
      const delivered = (yield* Metric.snapshot).flatMap(({ attributes, id, state }) =>
        id === "job_collector_deliveries_total" && "count" in state && state.count !== 0
          ? [`${attributes?.collector} ${attributes?.stream} ${attributes?.outcome}`]
          : []
      )
      assert.deepStrictEqual(delivered.sort(), ["jobs transcribe delivered", "refunds refund delivered"])
      yield* (yield* Refunds).stop
      yield* program
    }).pipe(
      Effect.provide([Jobs.layer("http://jobs.test"), Refunds.layer("http://shop.test")]),
      Effect.provide(parts(api)),
      Effect.provideService(Metric.MetricRegistry, new Map()),
      Effect.provide(patientClock)
    )
  })
})

describe("a pause around a migration", () => {
  const migrated = (migration: Effect.Effect<void, Error>) => {
    const api = new ScriptedApi()
    return withCollector(api, { groupStartId: "0" }, (redis) =>
      Effect.gen(function* () {
        const migrating = yield* Effect.forkChild(Effect.exit(whilePaused(migration)))
        yield* travel(30_000)
        yield* addEvent(redis, "evt-1")
        yield* travel(60_000)
        assert.deepStrictEqual(api.attempts, [])
        yield* travel(60_000)
        assert.deepStrictEqual(api.delivered, ["evt-1"])
        yield* migrating.pollUnsafe() ?? Effect.die("it has not ended")
      })
    )
  }

  it.effect("delivers nothing meanwhile, and goes on afterwards", () => migrated(Effect.sleep("100 seconds")))

  it.effect("goes on after a migration that failed, too", () =>
    migrated(Effect.andThen(Effect.sleep("100 seconds"), Effect.fail(new Error("no space left"))))
  )
})

describe("metrics of the app's own", () => {
  it.effect("count credits, attempts and what was given up, and show the API's circuit", () => {
    const api = new ScriptedApi()
    let isDown = false
    api.answer = ({ attempt, eventId }) => {
      if (isDown) return { status: 503 }
      if (eventId === "bad") return { status: 422 }
      return eventId === "late" && attempt === 1 ? { status: 500 } : success
    }
    const figures = Effect.map(Metric.snapshot, (all) =>
      Object.fromEntries(
        all.flatMap(({ attributes, id, state }) => {
          if (!id.startsWith("shop_")) return []
          const labels = Object.values(attributes ?? {}).join()
          const figure =
            "buckets" in state
              ? state.buckets.map(([, count]) => count)
              : "count" in state
                ? state.count
                : "value" in state
                  ? state.value
                  : undefined
          return [[`${id}{${labels}}`, figure]]
        })
      )
    )
    return withCollector(api, { groupStartId: "0" }, (redis) =>
      Effect.gen(function* () {
        yield* Layer.build(ownMetrics)
        for (const id of ["good", "late", "bad"]) yield* addEvent(redis, id)
        yield* travel(10_000)
        const began = {
          "shop_credits_deducted_total{transcribe}": 116,
          "shop_delivery_attempts{}": [1, 2, 2, 2],
          "shop_events_given_up_total{HTTP_422}": 1
        }
        assert.deepStrictEqual(yield* figures, began)
        isDown = true
        for (let i = 0; i < 30; i++) yield* addEvent(redis, `e-${i}`, { user_id: `u-${i % 5}` })
        yield* travel(60_000)
        assert.deepStrictEqual(yield* figures, { ...began, "shop_api_circuit_open{}": 1 })
        isDown = false
        yield* travel(300_000)
        const { "shop_credits_deducted_total{transcribe}": credits, "shop_api_circuit_open{}": circuit } =
          yield* figures
        assert.deepStrictEqual([credits, circuit], [32 * 58, 0])
      }).pipe(Effect.scoped, Effect.provideService(Metric.MetricRegistry, new Map()))
    )
  })
})
