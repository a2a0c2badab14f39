/** What health and the metrics say of partitions, and partitions by the fields of a host app's own events. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric, Schema } from "effect"
import { storedRules } from "../../src/domain/traffic/rules.ts"
import { EventKind } from "../../src/index.ts"
import { JobCollector } from "../../src/JobCollector.ts"
import { rulesKey } from "../../src/services/EventStreams.ts"
import * as Metrics from "../../src/services/Metrics.ts"
import type { Redis } from "../../src/services/Redis.ts"
import { addEvent, group, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, travel, withCollector } from "../support/time-machine.ts"

const countOf = (metric: Metric.Counter<number>) => Effect.map(Metric.value(metric), ({ count }) => count)

/** How much counters rise by an effect. */
const rises = <A, E, R>(
  counters: Readonly<Record<string, Metric.Counter<number>>>,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Readonly<Record<string, number>>, E, R> =>
  Effect.gen(function* () {
    const before = yield* Effect.all(Object.values(counters).map(countOf))
    yield* effect
    const after = yield* Effect.all(Object.values(counters).map(countOf))
    return Object.fromEntries(Object.keys(counters).map((name, i) => [name, (after[i] ?? 0) - (before[i] ?? 0)]))
  })

const openings = {
  api: Metrics.circuitOpenings("api"),
  model: Metrics.circuitOpenings("model"),
  user_id: Metrics.circuitOpenings("user_id")
}
const setAside = {
  capped: Metrics.setAside("capped"),
  circuit: Metrics.setAside("circuit"),
  parked: Metrics.setAside("parked")
}

const report = Effect.flatMap(JobCollector, ({ health }) => health.report)

const add = (redis: Redis["Service"], user: string, from: number, count: number, model = "m1") =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => `${user}.${model}.${from + i}`),
    (id) => addEvent(redis, id, { user_id: user, model }),
    { discard: true }
  )

/** When the ramp of the beginning is over, in milliseconds. */
const begun = 4_000

describe("a partition's open circuit", () => {
  it.effect("is in health with its next probe and what waits, and is no opening of the API's", () => {
    const api = new ScriptedApi()
    let well = false
    api.answer = ({ eventId }) => (eventId.startsWith("u1.") && !well ? { status: 503 } : success)
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* travel(begun)
        yield* add(redis, "u2", 0, 1)
        yield* travel(1_000)
        assert.isUndefined((yield* report).checks.api.partitions)
        const risen = yield* rises(
          openings,
          Effect.gen(function* () {
            yield* add(redis, "u1", 0, 10)
            yield* travel(1_000)
            yield* add(redis, "u1", 10, 5)
            yield* travel(1_000)
          })
        )
        assert.deepStrictEqual(risen, { api: 0, model: 0, user_id: 1 })
        const { checks, status } = yield* report
        assert.strictEqual(status, "degraded")
        assert.strictEqual(
          checks.api.problem,
          "the circuit of user_id=u1 is open: its deliveries wait until a probe succeeds"
        )
        assert.strictEqual(checks.api.circuit, "closed")
        assert.deepStrictEqual(checks.api.partitions, [
          { partition: "user_id=u1", circuit: "open", next_probe_at: "1970-01-01T00:00:10.000Z", waiting: 6 }
        ])
        well = true
        yield* travel(30_000)
        assert.isUndefined((yield* report).checks.api.partitions)
        assert.strictEqual((yield* report).checks.api.status, "ok")
      })
    )
  })

  it.effect("of a model counts as a model's", () => {
    const api = new ScriptedApi()
    api.answer = ({ eventId }) => (eventId.includes(".m1.") ? { status: 503 } : success)
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* travel(begun)
        yield* add(redis, "u9", 0, 1, "m2")
        yield* travel(1_000)
        const failing = Effect.forEach(Array.from({ length: 12 }), (_, i) => add(redis, `u${i}`, 0, 1), {
          discard: true
        })
        const risen = yield* rises(openings, Effect.andThen(failing, travel(1_000)))
        assert.deepStrictEqual(risen, { api: 0, model: 1, user_id: 0 })
        assert.include((yield* report).checks.api.problem, "model=m1")
      })
    )
  })
})

describe("a partition that has its share", () => {
  it.effect("is in health once its events have waited for ten seconds, with how many and since when", () => {
    const api = new ScriptedApi()
    api.answer = ({ eventId }) => (eventId.startsWith("u1.") ? { ...success, delay: 9_500 } : success)
    return withCollector(api, { deliveryConcurrency: 8, isolateBy: ["user_id"] }, (redis) =>
      Effect.gen(function* () {
        yield* travel(begun)
        yield* add(redis, "u2", 0, 1)
        yield* travel(1_000)
        yield* add(redis, "u1", 0, 30)
        for (let at = 1; at < 10; at++) {
          yield* add(redis, "u2", at, 1)
          yield* travel(1_000)
        }
        assert.isUndefined((yield* report).checks.api.partitions)
        yield* add(redis, "u2", 10, 1)
        yield* travel(1_000)
        const { checks, status } = yield* report
        assert.strictEqual(status, "degraded")
        assert.strictEqual(checks.api.problem, "user_id=u1 has its share of the permits, and more events that wait")
        assert.deepStrictEqual(checks.api.partitions, [
          { partition: "user_id=u1", waiting: 22, waiting_since: "1970-01-01T00:00:05.000Z" }
        ])
        yield* travel(90_000, 9_500)
      })
    )
  })
})

describe("set_aside_total", () => {
  /** How many events of u1 are set aside, and why, where so many come while something holds them up. */
  const settingAside = (api: ScriptedApi, holdUp: (redis: Redis["Service"]) => Effect.Effect<unknown, unknown>) =>
    withCollector(api, { dlqHold: 5, deliveryConcurrency: 8, isolateBy: ["user_id"] }, (redis) =>
      Effect.gen(function* () {
        yield* travel(begun)
        yield* add(redis, "u2", 0, 1)
        yield* holdUp(redis)
        const risen = yield* rises(setAside, Effect.andThen(add(redis, "u1", 100, 20), travel(2_000)))
        yield* travel(60_000, 10_000)
        return risen
      })
    )

  it.effect("counts what is parked", () =>
    Effect.gen(function* () {
      const risen = yield* settingAside(new ScriptedApi(), (redis) =>
        Effect.andThen(
          redis.send(
            "SET",
            rulesKey(transcribe, group),
            storedRules([{ kind: "park", field: "user_id", value: "u1", at: 0, by: "me" }])
          ),
          travel(2_000)
        )
      )
      assert.deepStrictEqual(risen, { capped: 0, circuit: 0, parked: 15 })
    })
  )

  it.effect("counts whose circuit is open", () =>
    Effect.gen(function* () {
      const api = new ScriptedApi()
      api.answer = ({ eventId }) => (eventId.startsWith("u1.") ? { status: 503 } : success)
      const risen = yield* settingAside(api, (redis) =>
        travel(1_000).pipe(Effect.andThen(add(redis, "u1", 0, 10)), Effect.andThen(travel(1_000)))
      )
      assert.strictEqual(risen.parked, 0)
      assert.strictEqual(risen.capped, 0)
      assert.isAtLeast(risen.circuit ?? 0, 15)
    })
  )

  it.effect("counts who has a share already", () =>
    Effect.gen(function* () {
      const api = new ScriptedApi()
      api.answer = ({ eventId }) => (eventId.startsWith("u1.") ? { ...success, delay: 9_000 } : success)
      const risen = yield* settingAside(api, () => travel(1_000))
      // 4 of 20 are under way, and 5 wait.
      assert.deepStrictEqual(risen, { capped: 11, circuit: 0, parked: 0 })
    })
  )
})

describe("ISOLATE_BY with a field of a host app's own event kind", () => {
  const stream = "shop:events:order"
  const Order = Schema.Struct({ order_id: Schema.NonEmptyString, shop: Schema.NonEmptyString, lane: Schema.Finite })
  const kind = EventKind.make({
    name: "order",
    stream,
    schema: Order,
    request: ({ order_id }) => ({ path: "/api/orders", body: { order_id }, idempotencyKey: order_id })
  })
  const addOrder = (redis: Redis["Service"], id: string, lane: number) =>
    redis.send("XADD", stream, "*", "data", JSON.stringify({ order_id: id, shop: id.split(".")[0], lane }))

  it.effect("keeps a shop that hangs from stopping the others, and opens one shop's circuit alone", () => {
    const api = new ScriptedApi()
    let manner: "hangs" | "fails" = "hangs"
    api.answer = ({ eventId }) =>
      eventId.startsWith("s1.") ? (manner === "hangs" ? { ...success, delay: 9_000 } : { status: 503 }) : success
    const options = { kinds: [kind], groupStartId: "0", deliveryConcurrency: 8, isolateBy: ["shop", "lane"] }
    return withCollector(api, options, (redis) =>
      Effect.gen(function* () {
        yield* travel(begun)
        yield* addOrder(redis, "s2.0", 2)
        yield* travel(1_000)
        for (let i = 0; i < 20; i++) yield* addOrder(redis, `s1.${i}`, 1)
        yield* travel(1_000)
        assert.strictEqual(api.attempts.filter(({ eventId }) => eventId.startsWith("s1.")).length, 4)
        yield* addOrder(redis, "s2.1", 2)
        yield* travel(1_000)
        assert.deepStrictEqual(api.instants("s2.1"), [begun + 2_000])
        yield* travel(60_000, 9_000)
        assert.strictEqual(api.delivered.length, 22)
        manner = "fails"
        yield* addOrder(redis, "s2.2", 1)
        yield* travel(1_000)
        for (let i = 20; i < 32; i++) yield* addOrder(redis, `s1.${i}`, i)
        yield* travel(1_000)
        const { partitions = [] } = (yield* report).checks.api
        assert.deepInclude(partitions, {
          partition: "shop=s1",
          circuit: "open",
          next_probe_at: "1970-01-01T00:01:13.000Z",
          waiting: 3
        })
        const at = api.attempts.length
        yield* addOrder(redis, "s2.3", 1)
        yield* travel(1_000)
        assert.deepStrictEqual(
          api.attempts.slice(at).map(({ eventId }) => eventId),
          ["s2.3"]
        )
      })
    )
  })
})
