import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Metric } from "effect"
import * as Metrics from "../../src/services/Metrics.ts"
import { transcribeFields } from "../support/events.ts"
import { abandoned, addEvent, dlq, group, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, travel, withCollector } from "../support/time-machine.ts"

const valueOf = (metric: Metric.Gauge<number>) => Effect.map(Metric.value(metric), ({ value }) => value)
const countOf = (metric: Metric.Counter<number>) => Effect.map(Metric.value(metric), ({ count }) => count)

/** Figures are read every `HEALTH_INTERVAL`, 15 seconds by default. */
const tick = 15

/** An API that answers an event after so many seconds. */
const slowApi = (seconds: number): ScriptedApi => {
  const api = new ScriptedApi()
  api.answer = () => ({ ...success, delay: seconds * 1_000 })
  return api
}

describe("oldest_pending_seconds", () => {
  it.effect("a backlog of old entries is none of it: what was just read counts from then on", () =>
    withCollector(slowApi(40), { apiTimeout: Duration.minutes(1), deliveryConcurrency: 2 }, (redis) =>
      Effect.gen(function* () {
        yield* travel(60_000)
        const now = yield* Clock.currentTimeMillis
        for (let i = 1; i <= 6; i++) {
          yield* redis.send("XADD", transcribe, `1-${i}`, ...transcribeFields(`old-${i}`, now))
        }
        for (let seconds = 0; seconds < 120; seconds += 5) {
          yield* travel(5_000)
          assert.isAtMost(yield* valueOf(Metrics.oldestPending("transcribe")), 41)
        }
        assert.isAtLeast(yield* valueOf(Metrics.oldestPending("transcribe")), 1)
        yield* travel(60_000)
        assert.strictEqual(yield* valueOf(Metrics.oldestPending("transcribe")), 0)
      })
    )
  )

  it.effect("one that its owner keeps alive and does not end grows, though Redis never sees it idle", () =>
    withCollector(slowApi(420), { apiTimeout: Duration.minutes(10) }, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "evt-1")
        yield* travel(400_000)
        const seconds = yield* valueOf(Metrics.oldestPending("transcribe"))
        assert.isTrue(seconds >= 400 - tick && seconds <= 400, `${seconds} s`)
        yield* travel(40_000)
        assert.strictEqual(yield* valueOf(Metrics.oldestPending("transcribe")), 0)
      })
    )
  )

  it.effect("a retry counts from when it was read from the DLQ", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 500 })
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "evt-1")
        // The third retry waits from 20 s to 65 s.
        yield* travel(62_000)
        const seconds = yield* valueOf(Metrics.oldestPending("dlq"))
        assert.isTrue(seconds >= 40 - tick && seconds <= 42, `${seconds} s`)
      })
    )
  })

  it.effect("another consumer's that nobody keeps alive or takes over counts from its last sign of life", () =>
    withCollector(
      slowApi(200),
      { apiTimeout: Duration.minutes(10), deliveryConcurrency: 1 },
      () =>
        Effect.gen(function* () {
          yield* travel(250_000)
          // One is worked on and one waits for it, taken over after CLAIM_IDLE; there is no room for the third.
          const seconds = yield* valueOf(Metrics.oldestPending("transcribe"))
          assert.isTrue(seconds >= 250 - tick && seconds <= 250, `${seconds} s`)
          yield* travel(700_000)
          assert.strictEqual(yield* valueOf(Metrics.oldestPending("transcribe")), 0)
        }),
      (redis) =>
        Effect.gen(function* () {
          for (let i = 1; i <= 4; i++) yield* addEvent(redis, `evt-${i}`)
          yield* redis.send("XGROUP", "CREATE", transcribe, group, "0")
          yield* redis.send("XREADGROUP", "GROUP", group, "gone", "COUNT", "4", "STREAMS", transcribe, ">")
        })
    )
  )
})

describe("what lies abandoned", () => {
  it.effect("shows with its number and its age, and goes when it is gone", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 422 })
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "evt-1")
        yield* travel(60_000)
        yield* addEvent(redis, "evt-2")
        yield* travel(60_000)
        assert.strictEqual(yield* valueOf(Metrics.abandonedLength), 2)
        const seconds = yield* valueOf(Metrics.abandonedOldest)
        assert.isTrue(seconds >= 120 - tick && seconds <= 120, `${seconds} s`)
        yield* redis.send("DEL", abandoned)
        yield* travel(16_000)
        assert.strictEqual(yield* valueOf(Metrics.abandonedLength), 0)
        assert.strictEqual(yield* valueOf(Metrics.abandonedOldest), 0)
      })
    )
  })

  it.effect("is counted over all sets, a stream that sets share once", () => {
    const set = (name: string) => ({ transcribe: `${name}:t`, process: `${name}:p`, dlq: `${name}:d` })
    const streams = [
      { ...set("a"), abandoned: "a:abandoned" },
      { ...set("b"), abandoned: "shared" },
      { ...set("c"), abandoned: "shared" }
    ]
    return withCollector(
      new ScriptedApi(),
      { streams },
      () =>
        Effect.gen(function* () {
          yield* travel(16_000)
          assert.strictEqual(yield* valueOf(Metrics.abandonedLength), 3)
        }),
      (redis) =>
        Effect.forEach(["a:abandoned", "shared", "shared"], (key) => redis.send("XADD", key, "*", "event", "{}"))
    )
  })

  it.effect("is not shown as nothing where Redis does not let it be seen", () =>
    withCollector(
      new ScriptedApi(),
      {},
      () =>
        Effect.gen(function* () {
          yield* travel(16_000)
          const names = (yield* Metric.snapshot).map(({ id }) => id)
          assert.notInclude(names, "job_collector_abandoned_length")
          assert.notInclude(names, "job_collector_abandoned_oldest_seconds")
        }),
      (redis) => redis.send("SET", abandoned, "not a stream")
    )
  )
})

describe("circuit_openings_total", () => {
  it.effect("counts every opening, however short", () => {
    const api = new ScriptedApi()
    let away = false
    api.answer = () => (away ? { status: 503 } : success)
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        const before = yield* countOf(Metrics.circuitOpenings("api"))
        for (let times = 1; times <= 2; times++) {
          away = true
          for (let i = 0; i < 10; i++) yield* addEvent(redis, `evt-${times}-${i}`)
          yield* travel(2_000)
          away = false
          yield* travel(10_000)
          assert.strictEqual(yield* valueOf(Metrics.circuitOpen), 0)
          assert.strictEqual((yield* countOf(Metrics.circuitOpenings("api"))) - before, times)
        }
        assert.strictEqual(yield* redis.send("XLEN", dlq), 0)
      })
    )
  })
})
