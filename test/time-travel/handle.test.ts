/** What a host app holds of a running collector (contract section 9): when it is ready, what happens in it, and its failed events. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Logger, Metric, References, Stream } from "effect"
import { type Happening, JobCollector, metricNames, type RedriveFilters } from "../../src/index.ts"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { Happenings } from "../../src/programs/delivery/state/happenings.ts"
import { EventStreams } from "../../src/services/EventStreams.ts"
import { type Redis, RedisError } from "../../src/services/Redis.ts"
import { patientClock } from "../support/patient-clock.ts"
import { labelsByMetric, makeSampleMetrics } from "../support/sample-metrics.ts"
import { abandoned, addEvent, lengthOf, transcribe } from "../support/streams.ts"
import { ScriptedApi, settle, success, testPrivateKey, travel, withCollector } from "../support/time-machine.ts"

const usual = { groupStartId: "0" }

const away = Effect.fail(new RedisError({ cause: new Error("connect ECONNREFUSED 127.0.0.1:6379") }))

/** Redis whose commands can be taken away. */
const unplugged = (redis: Redis["Service"], isAway: () => boolean): Redis["Service"] => ({
  ...redis,
  send: <A>(command: string, ...args: ReadonlyArray<string>) =>
    Effect.suspend(() => (isAway() ? away : redis.send<A>(command, ...args)))
})

/** Follows what happens until the scope ends. */
const following = Effect.gen(function* () {
  const { events } = yield* JobCollector
  const happened: Array<Happening> = []
  yield* Effect.forkScoped(Stream.runForEach(events, (happening) => Effect.sync(() => happened.push(happening))))
  yield* settle
  return happened
})

const ofTag = <Tag extends Happening["_tag"]>(happened: ReadonlyArray<Happening>, tag: Tag) =>
  happened.filter((happening): happening is Extract<Happening, { readonly _tag: Tag }> => happening._tag === tag)

describe("ready", () => {
  it.effect("waits for Redis and the streams, and is done at once where they are there", () => {
    let isAway = true
    return withCollector(
      new ScriptedApi(),
      usual,
      () =>
        Effect.gen(function* () {
          const { health, ready } = yield* JobCollector
          const waiting = yield* Effect.forkChild(ready)
          yield* travel(20_000)
          assert.isUndefined(waiting.pollUnsafe())
          isAway = false
          yield* travel(10_000)
          assert.deepStrictEqual(waiting.pollUnsafe(), Exit.void)
          assert.deepStrictEqual(yield* health.ready, { ready: true, reasons: [] })
          yield* ready
        }),
      undefined,
      (redis) => unplugged(redis, () => isAway)
    )
  })

  it.effect("fails where the collector is stopped before", () =>
    withCollector(
      new ScriptedApi(),
      usual,
      () =>
        Effect.gen(function* () {
          const { join, ready, stop } = yield* JobCollector
          const waiting = yield* Effect.forkChild(Effect.flip(ready))
          yield* travel(1_000)
          yield* Effect.forkChild(stop)
          yield* travel(30_000)
          assert.strictEqual((yield* Fiber.join(waiting))._tag, "CollectorStopped")
          yield* join
        }),
      undefined,
      (redis) => unplugged(redis, () => true)
    )
  )

  it.effect("fails as join does where the collector ends before", () =>
    withCollector(
      new ScriptedApi(),
      usual,
      () =>
        Effect.gen(function* () {
          const { join, ready } = yield* JobCollector
          yield* travel(1_000)
          const errors = yield* Effect.all([Effect.flip(ready), Effect.flip(join)])
          assert.deepStrictEqual(
            errors.map(({ _tag }) => _tag),
            ["RedisRefused", "RedisRefused"]
          )
        }),
      undefined,
      (redis) => ({
        ...redis,
        send: () => Effect.fail(new RedisError({ cause: new Error("NOAUTH Authentication required.") }))
      })
    )
  )
})

describe("events", () => {
  it.effect("tell of deliveries, retries and what is given up", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt, eventId }) =>
      eventId === "bad" ? { status: 422 } : attempt === 1 && eventId === "late" ? { status: 500 } : success
    return withCollector(api, usual, (redis) =>
      Effect.gen(function* () {
        const happened = yield* following
        const id = yield* addEvent(redis, "good")
        yield* addEvent(redis, "late")
        yield* addEvent(redis, "bad")
        yield* travel(10_000)
        const event = { kind: "transcribe", stream: transcribe, entryId: id, eventId: "good", attempts: 1 }
        const [first] = ofTag(happened, "Delivered")
        assert.deepStrictEqual(first, {
          _tag: "Delivered",
          at: first?.at ?? 0,
          ...event,
          jobId: "job-1",
          creditsDeducted: 58
        })
        const [retried] = ofTag(happened, "Retried")
        assert.strictEqual((retried?.retryAt ?? 0) - (retried?.at ?? 0), 5_000)
        assert.deepStrictEqual(
          ofTag(happened, "Delivered").map(({ attempts, eventId, kind }) => [eventId, kind, attempts]),
          [
            ["good", "transcribe", 1],
            ["late", "transcribe", 2]
          ]
        )
        assert.deepStrictEqual(
          ofTag(happened, "Abandoned").map(({ errorCode, eventId, reason }) => [eventId, reason, errorCode]),
          [["bad", "rejected", "HTTP_422"]]
        )
      }).pipe(Effect.scoped)
    )
  })

  it.effect("tell of what is set aside because too many of a parked user's would be held", () =>
    withCollector(new ScriptedApi(), { ...usual, dlqHold: 2 }, (redis) =>
      Effect.gen(function* () {
        const happened = yield* following
        const { park } = yield* JobCollector
        yield* park("user_id=u-9", { why: "noise" })
        yield* travel(3_000)
        for (let i = 0; i < 5; i++) yield* addEvent(redis, `e-${i}`, { user_id: "u-9" })
        yield* travel(10_000)
        const aside = ofTag(happened, "SetAside")
        assert.isAbove(aside.length, 0)
        for (const { attempts, partition, reason } of aside)
          assert.deepStrictEqual([reason, partition, attempts], ["parked", "user_id=u-9", 0])
        assert.deepStrictEqual(ofTag(happened, "Delivered"), [])
      }).pipe(Effect.scoped)
    )
  )

  it.effect("tell of circuits, traffic rules and health, and end with the collector", () => {
    const api = new ScriptedApi()
    let isDown = true
    api.answer = () => (isDown ? { status: 503 } : success)
    return withCollector(api, usual, (redis) =>
      Effect.gen(function* () {
        const { events, limit, park, stop, unpark } = yield* JobCollector
        const following = yield* Effect.forkChild(Stream.runCollect(events))
        yield* settle
        yield* park("user_id=u-9", { why: "noise" })
        for (let i = 0; i < 30; i++) yield* addEvent(redis, `e-${i}`, { user_id: `u-${i % 5}` })
        yield* travel(60_000)
        isDown = false
        yield* travel(120_000)
        yield* unpark("user_id=u-9")
        yield* limit("10 per second", { duration: "10 seconds" })
        yield* travel(20_000)
        yield* Effect.forkChild(stop)
        yield* travel(10_000)
        const happened = yield* Fiber.join(following)
        assert.deepStrictEqual(
          ofTag(happened, "RuleSet").map(({ rule: { kind } }) => kind),
          ["park", "limit"]
        )
        assert.deepStrictEqual(
          ofTag(happened, "RuleEnded").map(({ ended, rule: { kind } }) => [kind, ended]),
          [
            ["park", "lifted"],
            ["limit", "expired"]
          ]
        )
        const api503 = ofTag(happened, "CircuitOpened").filter(({ partition }) => partition === undefined)
        assert.deepStrictEqual([...new Set(api503.map(({ errorCode }) => errorCode))], ["HTTP_503"])
        assert.isTrue(ofTag(happened, "CircuitClosed").some(({ partition }) => partition === undefined))
        assert.include(
          ofTag(happened, "HealthChanged").map(({ status }) => status),
          "degraded"
        )
        // Whoever comes now is told nothing, and does not wait.
        assert.deepStrictEqual(yield* Stream.runCollect(events), [])
      })
    )
  })

  it.effect("wait for nobody: who is slow misses the oldest, and is told how many", () =>
    Effect.gen(function* () {
      const happenings = new Happenings()
      assert.isFalse(happenings.isFollowed)
      const taken: Array<Happening> = []
      const reader = yield* Effect.forkChild(
        Stream.runForEach(happenings.stream, (happening) => Effect.sync(() => taken.push(happening)))
      )
      yield* settle
      assert.isTrue(happenings.isFollowed)
      for (let at = 0; at < 3_000; at++) happenings.tell({ _tag: "KindResumed", at, kind: "order" })
      yield* settle
      assert.deepStrictEqual(taken.slice(0, 2), [
        { _tag: "Missed", count: 3_000 - 1_024 },
        { _tag: "KindResumed", at: 3_000 - 1_024, kind: "order" }
      ])
      assert.strictEqual(taken.length, 1_025)
      yield* Fiber.interrupt(reader)
      assert.isFalse(happenings.isFollowed)
    })
  )
})

describe("redrive", () => {
  const failing = () => {
    const api = new ScriptedApi()
    api.answer = ({ eventId }) => (eventId.startsWith("bad") ? { status: 422 } : { status: 500 })
    return api
  }

  it.effect("lists, groups, replays and drops what was given up, and says so in the audit", () => {
    const api = failing()
    return withCollector(api, usual, (redis) =>
      Effect.gen(function* () {
        const { redrive } = yield* JobCollector
        for (const id of ["bad-1", "bad-2", "bad-3"]) yield* addEvent(redis, id)
        yield* travel(5_000)
        const listed = yield* Stream.runCollect(redrive.list("abandoned", { filters: { eventIds: ["bad-2"] } }))
        assert.deepStrictEqual(
          listed.map(({ event, eventId, failure }) => [eventId, failure?.reason, failure?.errorCode, event?.event_id]),
          [["bad-2", "rejected", "HTTP_422", "bad-2"]]
        )
        const [group] = yield* redrive.groups("abandoned", "error")
        assert.strictEqual(group?.count, 3)
        api.answer = () => success
        const replayed = yield* Effect.forkChild(
          redrive.replay({ filters: { eventIds: ["bad-1", "bad-2"] }, why: "mended" })
        )
        yield* travel(5_000)
        assert.strictEqual((yield* Fiber.join(replayed)).done, 2)
        assert.deepStrictEqual([...api.delivered].sort(), ["bad-1", "bad-2"])
        assert.strictEqual((yield* redrive.drop("abandoned", { all: true, as: "anna" })).done, 1)
        assert.strictEqual(yield* lengthOf(redis, abandoned), 0)
        const audit = yield* redis.send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>(
          "XRANGE",
          `{${transcribe}}:audit`,
          "-",
          "+"
        )
        assert.deepStrictEqual(
          audit
            .map(([, fields]) => fields.join(" "))
            .map((line) => [/anna|consumer-1/.exec(line)?.[0], /(replay|drop)/.exec(line)?.[0]]),
          [
            ["consumer-1", "replay"],
            ["anna", "drop"]
          ]
        )
      })
    )
  })

  it.effect("has what waits for its retry go at once", () => {
    const api = failing()
    return withCollector(api, usual, (redis) =>
      Effect.gen(function* () {
        const { redrive } = yield* JobCollector
        yield* addEvent(redis, "later")
        yield* travel(21_000)
        // Its third attempt is due 45 seconds after the second failed.
        api.answer = () => success
        const before = api.delivered.length
        assert.strictEqual((yield* redrive.retry({ filters: { eventIds: ["later"] } })).done, 1)
        yield* travel(2_000)
        assert.deepStrictEqual([before, api.delivered], [0, ["later"]])
      })
    )
  })

  it.effect("refuses what cannot be meant, from JavaScript too", () =>
    withCollector(new ScriptedApi(), usual, () =>
      Effect.gen(function* () {
        const { redrive } = yield* JobCollector
        yield* travel(1_000)
        const refused = (effect: Effect.Effect<unknown, { readonly reason: string; readonly message: string }>) =>
          Effect.map(Effect.flip(effect), ({ reason }) => reason)
        const unknown: RedriveFilters = { reasons: ["tired"] }
        assert.deepStrictEqual(
          yield* Effect.all([
            refused(redrive.drop("abandoned", {})),
            refused(redrive.drop("abandoned", { all: true, filters: { eventIds: ["e"] } })),
            refused(redrive.replay({ filters: unknown })),
            refused(redrive.replay({ all: true, rate: 0 })),
            refused(redrive.replay({ all: true, why: "" })),
            refused(Stream.runDrain(redrive.list("abandoned", { filters: unknown })))
          ]),
          Array.from({ length: 6 }, () => "Invalid")
        )
      })
    )
  )
})

describe("a failed attempt", () => {
  it.effect("is a warning the first time of a stream and an error, and summed up afterwards", () => {
    const api = new ScriptedApi()
    api.answer = ({ eventId }) => (eventId.startsWith("other") ? { status: 500 } : { status: 409 + 10 })
    const warnings: Array<readonly [unknown, unknown]> = []
    const logs = Logger.layer([
      Logger.make(({ fiber, logLevel, message }) => {
        const [name] = Array.isArray(message) ? message : [message]
        if (name !== "delivery.failed" || logLevel !== "Warn") return
        const said = fiber.getRef(References.CurrentLogAnnotations)
        warnings.push([said.error_code, said.times])
      })
    ])
    return withCollector(api, { ...usual, circuitBreaker: false }, (redis) =>
      Effect.gen(function* () {
        for (let i = 0; i < 5; i++) yield* addEvent(redis, `e-${i}`)
        yield* addEvent(redis, "other")
        yield* travel(1_000)
        assert.deepStrictEqual(warnings, [
          ["HTTP_419", 1],
          ["HTTP_500", 1]
        ])
        yield* travel(11_000)
        yield* addEvent(redis, "e-5")
        yield* travel(1_000)
        // The four others of the beginning, and the five retries since; then this one.
        assert.deepStrictEqual(warnings.slice(2), [["HTTP_419", 10]])
      })
    ).pipe(Effect.provide(logs))
  })
})

describe("a collector's metrics", () => {
  it("are those whose names are exported", () => {
    const own = [...labelsByMetric(makeSampleMetrics()()).keys()].filter((name) => name.startsWith("job_collector_"))
    assert.deepStrictEqual(own.sort(), [...metricNames].sort())
  })

  it.effect("say of two in one process each its own configuration", () =>
    Effect.gen(function* () {
      const registry = new Map()
      yield* Metric.update(Metric.gauge("job_collector_config_version"), 7).pipe(
        Effect.provideService(Metric.MetricRegistry, registry)
      )
      const context = yield* Layer.build(
        JobCollector.layer({ apiBaseUrl: "http://api.test", ...usual }).pipe(
          Layer.provide([new ScriptedApi().layer, NativeSigner.layer(testPrivateKey), Logger.layer([])])
        )
      ).pipe(Effect.provideService(Metric.MetricRegistry, registry))
      yield* travel(6_000)
      assert.isDefined(Context.get(context, JobCollector))
      const told = yield* Effect.flatMap(EventStreams, (streams) =>
        streams.replicas(transcribe, "job-collector-group")
      ).pipe(Effect.provide(EventStreamsLayer.layer))
      assert.deepStrictEqual(
        told.map((figures) => JSON.parse(figures).config_version),
        [0]
      )
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(MemoryRedis.layer.pipe(Layer.provide(patientClock)), patientClock))
    )
  )
})
