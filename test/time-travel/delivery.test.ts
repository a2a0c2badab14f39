import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { abandonedEvents, addEvent, dlq, lengthOf, pendingCount, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, travel, withCollector } from "../support/time-machine.ts"

const unavailable = { status: 500, body: { error_code: "E_DB", error_message: "database is away" } }

describe("the retry schedule", () => {
  it.effect("an event that always fails is attempted at 0, 5, 20 and 65 s and abandoned at 65 s", () => {
    const api = new ScriptedApi()
    api.answer = () => unavailable
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "evt-1")
        yield* travel(64_999)
        assert.deepStrictEqual(yield* abandonedEvents(redis), [])
        yield* travel(1)
        assert.deepStrictEqual(api.instants("evt-1"), [0, 5_000, 20_000, 65_000])
        const [end, ...more] = yield* abandonedEvents(redis)
        assert.strictEqual(more.length, 0)
        assert.strictEqual(end?.abandoned.reason, "exhausted")
        assert.strictEqual(end?.abandoned.attempts, 4)
        assert.strictEqual(end?.abandoned.first_failed_at, 0)
        assert.strictEqual(end?.abandoned.abandoned_at, 65_000)
        assert.strictEqual(end?.abandoned.error_code, "HTTP_500")
        assert.strictEqual(end?.abandoned.error_message, "E_DB: database is away")
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
        assert.strictEqual(yield* pendingCount(redis, transcribe), 0)
        assert.strictEqual(yield* pendingCount(redis, dlq), 0)
      })
    )
  })

  it.effect("a success at the third attempt ends it at 20 s", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt }) => (attempt < 3 ? unavailable : success)
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "evt-1")
        yield* travel(120_000)
        assert.deepStrictEqual(api.instants("evt-1"), [0, 5_000, 20_000])
        assert.deepStrictEqual(yield* abandonedEvents(redis), [])
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
        assert.strictEqual(yield* pendingCount(redis, transcribe), 0)
      })
    )
  })

  it.effect("a Retry-After of 60 s moves the next attempt to 60 s", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt }) => (attempt === 1 ? { ...unavailable, headers: { "retry-after": "60" } } : success)
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "evt-1")
        yield* travel(59_999)
        assert.deepStrictEqual(api.instants("evt-1"), [0])
        yield* travel(1)
        assert.deepStrictEqual(api.instants("evt-1"), [0, 60_000])
      })
    )
  })

  it.effect("a 429 pauses every delivery for as long as it says", () => {
    const api = new ScriptedApi()
    api.answer = ({ eventId, attempt }) =>
      eventId === "evt-1" && attempt === 1 ? { status: 429, headers: { "retry-after": "30" } } : success
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "evt-1")
        yield* travel(1_000)
        yield* addEvent(redis, "evt-2")
        yield* travel(28_999)
        assert.deepStrictEqual(api.instants("evt-2"), [])
        yield* travel(1)
        assert.deepStrictEqual(api.instants("evt-1"), [0, 30_000])
        assert.deepStrictEqual(api.instants("evt-2"), [30_000])
      })
    )
  })

  it.effect("a rejected event is abandoned at once, its neighbour delivered", () => {
    const api = new ScriptedApi()
    api.answer = ({ eventId }) => (eventId === "evt-1" ? { status: 422 } : success)
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "evt-1")
        yield* addEvent(redis, "evt-2")
        yield* travel(1_000)
        const [end] = yield* abandonedEvents(redis)
        assert.strictEqual(end?.abandoned.reason, "rejected")
        assert.strictEqual(end?.abandoned.attempts, 1)
        assert.strictEqual(api.attempts.length, 2)
      })
    )
  })

  it.effect("an invalid event is abandoned unsent, its field and rule named", () => {
    const api = new ScriptedApi()
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "evt-1", { audio_seconds: "-1" })
        yield* addEvent(redis, "evt-2")
        yield* travel(1_000)
        const [end] = yield* abandonedEvents(redis)
        assert.strictEqual(end?.abandoned.reason, "invalid")
        assert.strictEqual(end?.abandoned.error_code, "INVALID")
        assert.strictEqual(end?.abandoned.error_message, "audio_seconds: must be 0 to 86,400 seconds")
        assert.deepStrictEqual(
          api.attempts.map(({ eventId }) => eventId),
          ["evt-2"]
        )
      })
    )
  })
})

describe("a single permit", () => {
  it.effect("is not held by readers that find nothing: two streams share it without waiting for each other", () => {
    const api = new ScriptedApi()
    return withCollector(api, { deliveryConcurrency: 1 }, (redis) =>
      Effect.gen(function* () {
        yield* travel(1_000)
        for (let i = 0; i < 50; i++) yield* addEvent(redis, `evt-${i}`)
        yield* travel(100, 10)
        assert.strictEqual(api.attempts.length, 50)
      })
    )
  })
})

describe("the circuit breaker", () => {
  it.effect(
    "opened by bad events alone it lets good ones through again, and the bad ones come to their end",
    () => {
      const api = new ScriptedApi()
      const isBad = (eventId: string) => eventId.startsWith("bad")
      api.answer = ({ eventId }) => (isBad(eventId) ? unavailable : success)
      return withCollector(api, { healthInterval: Duration.minutes(30) }, (redis) =>
        Effect.gen(function* () {
          yield* travel(1_000)
          for (let i = 0; i < 60; i++) yield* addEvent(redis, `bad-${i}`)
          for (let i = 0; i < 100; i++) yield* addEvent(redis, `good-${i}`)
          yield* travel(600_000, 10_000)
          for (let i = 100; i < 200; i++) {
            yield* addEvent(redis, `good-${i}`)
            yield* travel(60_000, 10_000)
          }
          yield* travel(3_600_000, 60_000)
          assert.strictEqual(new Set(api.delivered).size, 200)
          assert.isFalse(api.delivered.some(isBad))
          assert.strictEqual((yield* abandonedEvents(redis)).length, 60)
          assert.strictEqual(yield* pendingCount(redis, transcribe), 0)
        })
      )
    },
    60_000
  )

  it.effect(
    "an outage of two virtual days burns no attempts, and everything is delivered after it",
    () => {
      const api = new ScriptedApi()
      const twoDays = 48 * 3_600_000
      let down = true
      api.answer = () => (down ? { status: 503 } : success)
      // Seldom looked at and seldom scanned: days of either take their time.
      const options = {
        eventMaxAge: Duration.days(1),
        healthInterval: Duration.minutes(30),
        claimIdle: Duration.minutes(10)
      }
      return withCollector(api, options, (redis) =>
        Effect.gen(function* () {
          for (let i = 0; i < 30; i++) yield* addEvent(redis, `evt-${i}`)
          yield* travel(120_000)
          const burnt = new Map<string, number>()
          for (const { attempt, eventId } of api.attempts)
            burnt.set(eventId, Math.max(burnt.get(eventId) ?? 0, attempt))
          const before = api.attempts.length
          yield* travel(twoDays, 3_600_000)
          for (const { attempt, eventId } of api.attempts.slice(before)) {
            assert.isAtMost(attempt, (burnt.get(eventId) ?? 0) + 1, `${eventId} burnt an attempt`)
          }
          assert.deepStrictEqual(yield* abandonedEvents(redis), [])
          assert.deepStrictEqual(api.delivered, [])
          down = false
          yield* travel(180_000)
          assert.strictEqual(api.delivered.length, 30, "each once")
          assert.strictEqual(new Set(api.delivered).size, 30)
          assert.strictEqual(yield* lengthOf(redis, dlq), 0)
          assert.strictEqual(yield* pendingCount(redis, transcribe), 0)
          assert.deepStrictEqual(yield* abandonedEvents(redis), [])
        })
      )
    },
    300_000
  )
})
