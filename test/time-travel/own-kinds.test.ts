/** Event kinds of a host app's own, each with rules of its own: at exact instants. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Schedule, Schema, Stream } from "effect"
import { encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import { EventKind, JobCollector } from "../../src/index.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { Redis } from "../../src/services/Redis.ts"
import { transcribeFields } from "../support/events.ts"
import { patientClock } from "../support/patient-clock.ts"
import { abandonedEvents, dlq, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, testPrivateKey, travel, withCollector } from "../support/time-machine.ts"

const stream = "shop:events:order"
const abandoned = "modelsgateway:events:abandoned"

const Order = Schema.Struct({ order_id: Schema.NonEmptyString })
type Order = typeof Order.Type

const base = {
  name: "order",
  stream,
  schema: Order,
  request: ({ order_id }: Order): EventKind.KindRequest => ({
    path: "/api/orders",
    body: { order_id },
    idempotencyKey: order_id
  })
}

const add = (redis: Redis["Service"], id: string) => redis.send("XADD", stream, "*", "order_id", id)

const counts = (redis: Redis["Service"]) =>
  Effect.all({
    pending: redis.send<[number]>("XPENDING", stream, "job-collector-group"),
    gone: redis.send<number>("XLEN", abandoned)
  })

describe("an event kind of a host app's own", () => {
  it.effect.each([
    { status: 200, body: {} },
    { status: 201, body: { id: "o-1" } },
    { status: 202 },
    { status: 204 },
    { status: 409 }
  ])("takes %o for a success unless it says otherwise", (answer) => {
    const api = new ScriptedApi()
    api.answer = () => answer
    return withCollector(api, { groupStartId: "0", kinds: [EventKind.make(base)] }, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, "o-1")
        yield* travel(120_000)
        assert.strictEqual(api.attempts.length, 1)
        const { gone, pending } = yield* counts(redis)
        assert.deepStrictEqual([pending[0], gone], [0, 0])
      })
    )
  })

  it.effect("leaves the built-in kinds their own rule", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 200, body: {} })
    return withCollector(api, { groupStartId: "0", kinds: [EventKind.make(base)] }, (redis) =>
      Effect.gen(function* () {
        yield* redis.send("XADD", transcribe, "*", ...transcribeFields("t-1", 0))
        yield* travel(70_000)
        assert.strictEqual(api.attempts.length, 4)
      })
    )
  })

  it.effect("says itself what an answer means, when it is tried again and what no retry can help", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt, eventId }) =>
      eventId === "gone"
        ? { status: 410 }
        : { status: 200, body: { state: attempt < 4 ? "busy" : "booked" }, headers: { "x-state": "said" } }
    const seen: Array<EventKind.KindAnswer> = []
    const kind = EventKind.make({
      ...base,
      success: (answer) => {
        seen.push(answer)
        return answer.status === 200 && JSON.parse(answer.body).state === "booked"
          ? EventKind.accepted({ jobId: "b-1" })
          : EventKind.refused("BUSY", "come again")
      },
      retry: Schedule.exponential("1 second", 2).pipe(Schedule.upTo({ times: 6 })),
      rejectStatuses: [410]
    })
    return withCollector(api, { groupStartId: "0", kinds: [kind] }, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, "o-1")
        yield* add(redis, "gone")
        yield* travel(60_000, 250)
        const [first = 0, ...later] = api.instants("o-1")
        assert.deepStrictEqual(
          later.map((at) => at - first),
          [1_000, 3_000, 7_000]
        )
        assert.strictEqual(api.instants("gone").length, 1)
        assert.strictEqual(seen[0]?.headers["x-state"], "said")
        assert.strictEqual((yield* counts(redis)).gone, 1)
      })
    )
  })

  it.effect("is tried as often as its schedule says, over any number of attempts", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 500 })
    const retry = Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 20 }))
    return withCollector(api, { groupStartId: "0", kinds: [EventKind.make({ ...base, retry })] }, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, "o-1")
        yield* travel(60_000, 500)
        assert.strictEqual(api.attempts.length, 21)
        assert.strictEqual(api.attempts.at(-1)?.attempt, 21)
        assert.strictEqual((yield* counts(redis)).gone, 1)
      })
    )
  })

  it.effect("is sent the attempt that a longer schedule promised it, which is its last", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 500 })
    const retry = Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 1 }))
    return withCollector(api, { groupStartId: "0", kinds: [EventKind.make({ ...base, retry })] }, (redis) =>
      Effect.gen(function* () {
        const promised = {
          attempt: 7,
          not_before: 0,
          origin_stream: stream,
          origin_id: "1-1",
          first_failed_at: 0,
          last_failed_at: 0,
          error_code: "HTTP_500",
          error_message: ""
        }
        yield* redis.send("XADD", dlq, "*", ...encodeDlqEntry(promised, ["order_id", "o-1"]))
        yield* travel(10_000)
        assert.deepStrictEqual(
          api.attempts.map(({ attempt }) => attempt),
          [8]
        )
        const [end] = yield* abandonedEvents(redis)
        assert.deepInclude(end?.abandoned, { reason: "exhausted", attempts: 8 })
      })
    )
  })

  it.effect("makes its request with a method, headers and a time limit of its own, by an effect with services", () => {
    class Prices extends Context.Service<Prices, { readonly of: (item: string) => Effect.Effect<number> }>()(
      "Prices"
    ) {}
    const api = new ScriptedApi()
    api.answer = ({ attempt }) => ({ status: 200, delay: attempt === 1 ? 3_000 : 0 })
    const kind = EventKind.make({
      ...base,
      request: ({ order_id }) =>
        Effect.map(
          Prices.use((prices) => prices.of(order_id)),
          (price): EventKind.KindRequest => ({
            method: "PUT",
            path: `/api/orders/${order_id}`,
            headers: { "Content-Type": "application/vnd.shop+json", "X-Shop": "7" },
            body: { price },
            idempotencyKey: order_id
          })
        ),
      timeout: "2 seconds"
    })
    const parts = Layer.mergeAll(api.layer, NativeSigner.layer(testPrivateKey))
    return Effect.gen(function* () {
      const redis = yield* Redis
      const collector: Layer.Layer<JobCollector, unknown, Prices> = JobCollector.layer({
        apiBaseUrl: "http://api.test",
        groupStartId: "0",
        kinds: [kind]
      }).pipe(Layer.provide(Layer.mergeAll(Layer.succeed(Redis, redis), parts)))
      yield* Effect.gen(function* () {
        yield* add(redis, "o-1")
        yield* travel(10_000)
        const [first, second] = api.attempts
        assert.strictEqual(first?.method, "PUT")
        assert.strictEqual(first?.path, "/api/orders/o-1")
        assert.strictEqual(first?.headers["content-type"], "application/vnd.shop+json")
        assert.strictEqual(first?.headers["x-shop"], "7")
        assert.deepStrictEqual(api.bodies[0], { price: 5 })
        // Two seconds until the time is over, five until the retry, and one until the price is known.
        assert.strictEqual((second?.at ?? 0) - (first?.at ?? 0), 8_000)
      }).pipe(
        Effect.provide(
          collector.pipe(
            Layer.provide(Layer.succeed(Prices, { of: () => Effect.delay(Effect.succeed(5), "1 second") }))
          )
        )
      )
    }).pipe(Effect.provide(MemoryRedis.layer), Effect.scoped, Effect.provide(patientClock))
  })

  it.effect(
    "fails an attempt where its request's effect fails or takes too long, and tries again by its schedule",
    () => {
      const api = new ScriptedApi()
      api.answer = () => ({ status: 200 })
      let tries = 0
      const kind = EventKind.make({
        ...base,
        request: (order) =>
          Effect.suspend(() => {
            tries += 1
            if (tries === 1) return Effect.fail(new Error("the price list is away"))
            return tries === 2 ? Effect.never : Effect.succeed(base.request(order))
          })
      })
      return withCollector(api, { groupStartId: "0", apiTimeout: Duration.seconds(4), kinds: [kind] }, (redis) =>
        Effect.gen(function* () {
          yield* add(redis, "o-1")
          yield* travel(2_000)
          const [[, [, retry = ""] = []] = []] = yield* redis.send<Array<[string, Array<string>]>>(
            "XRANGE",
            "modelsgateway:events:dlq",
            "-",
            "+"
          )
          assert.include(retry, '"error_code":"REQUEST_FAILED","error_message":"the price list is away"')
          yield* travel(40_000)
          assert.deepStrictEqual([tries, api.attempts.map(({ attempt }) => attempt)], [3, [3]])
        })
      )
    }
  )

  it.effect("is paused where its request throws for more than a few events in a row, and goes on by itself", () => {
    const api = new ScriptedApi()
    let broken = true
    const kind = EventKind.make({
      ...base,
      request: (order) => {
        if (broken) throw new Error("no price is known")
        return base.request(order)
      }
    })
    api.answer = ({ eventId }) => (eventId.startsWith("o-") ? { status: 200 } : success)
    return withCollector(api, { groupStartId: "0", kinds: [kind] }, (redis) =>
      Effect.gen(function* () {
        const { events, health } = yield* JobCollector
        const told: Array<unknown> = []
        yield* Effect.forkChild(
          Stream.runForEach(events, (happening) =>
            Effect.sync(() => {
              if (happening._tag === "KindPaused") told.push([happening.kind, happening.problem])
              if (happening._tag === "KindResumed") told.push(happening.kind)
            })
          )
        )
        for (let i = 0; i < 200; i++) yield* add(redis, `o-${i}`)
        yield* redis.send("XADD", transcribe, "*", ...transcribeFields("t-1", 0))
        yield* travel(60_000)
        assert.strictEqual((yield* counts(redis)).gone, 3)
        assert.deepStrictEqual(told, [["order", "no price is known"]])
        assert.isBelow((yield* counts(redis)).pending[0], 64 + 1)
        const { checks, status } = yield* health.report
        assert.strictEqual(status, "degraded")
        assert.strictEqual(
          checks.traffic.problem,
          "kind order is paused, because it makes no requests: no price is known"
        )
        assert.deepStrictEqual(
          api.attempts.map(({ eventId }) => eventId),
          ["t-1"]
        )
        broken = false
        yield* travel(30_000)
        assert.strictEqual((yield* counts(redis)).gone, 3)
        assert.strictEqual(new Set(api.attempts.map(({ eventId }) => eventId)).size, 198)
        assert.strictEqual((yield* health.report).checks.traffic.status, "ok")
        assert.deepStrictEqual(told, [["order", "no price is known"], "order"])
      })
    )
  })

  it.effect("can be all there is: the built-in kinds and the probe of the configurations are left out", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 200 })
    const options = { groupStartId: "0", kinds: [EventKind.make(base)], builtInKinds: false, apiProbe: false }
    return withCollector(api, options, (redis) =>
      Effect.gen(function* () {
        yield* redis.send("XADD", transcribe, "*", ...transcribeFields("t-1", 0))
        yield* add(redis, "o-1")
        yield* travel(60_000)
        assert.deepStrictEqual(
          api.attempts.map(({ eventId }) => eventId),
          ["o-1"]
        )
        assert.strictEqual(api.asked, 0)
        const { health, pause, rules } = yield* JobCollector
        const { checks, status } = yield* health.report
        assert.strictEqual(status, "ok")
        const streams = checks.consumer_groups.streams as ReadonlyArray<{ readonly label: string }>
        assert.deepStrictEqual(streams.map(({ label }) => label).sort(), ["dlq", "order"])
        // Where the commands look for them.
        yield* pause()
        assert.strictEqual((yield* rules).length, 1)
        assert.isNotNull(yield* redis.send("GET", `{${transcribe}}:rules:job-collector-group`))
      })
    )
  })

  it.effect("is not paused by one bad event, however often that is tried", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 200 })
    const kind = EventKind.make({
      ...base,
      request: (order) =>
        order.order_id === "bad" ? Effect.fail("no such order") : Effect.succeed(base.request(order))
    })
    return withCollector(api, { groupStartId: "0", kinds: [kind] }, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, "bad")
        yield* travel(70_000)
        assert.strictEqual((yield* counts(redis)).gone, 1)
        yield* add(redis, "o-1")
        yield* travel(2_000)
        assert.deepStrictEqual(
          api.attempts.map(({ eventId }) => eventId),
          ["o-1"]
        )
      })
    )
  })
})
