/** Entries of the DLQ that say when they are due, honestly or not: what is due first always finds room (contract section 5). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import type { Redis } from "../../src/services/Redis.ts"
import { transcribeFields } from "../support/events.ts"
import { abandonedEvents, addEvent, dlq, lengthOf, pendingCount, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, travel, withCollector } from "../support/time-machine.ts"

const hour = 3_600_000

/** Adds a DLQ entry of an event that was tried once, or so often: its id. */
const addRetry = (redis: Redis["Service"], eventId: string, notBefore: number, attempt = 1) => {
  const retry = {
    attempt,
    not_before: notBefore,
    origin_stream: transcribe,
    origin_id: "1-1",
    first_failed_at: 0,
    last_failed_at: 0,
    error_code: "HTTP_500",
    error_message: ""
  }
  return redis.send<string>("XADD", dlq, "*", ...encodeDlqEntry(retry, transcribeFields(eventId, 0)))
}

const failsFirst = (api: ScriptedApi, eventId: string) => {
  api.answer = (attempt) => (attempt.eventId === eventId && attempt.attempt === 1 ? { status: 500 } : success)
}

describe("a DLQ entry's not_before", () => {
  it.effect("more than a day ahead is abandoned as invalid at once, its fields kept, the DLQ its origin", () => {
    const api = new ScriptedApi()
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        const id = yield* addRetry(redis, "far", 24 * hour + 60_000)
        yield* addRetry(redis, "farthest", Number.MAX_SAFE_INTEGER)
        yield* travel(10_000)
        const [far, farthest] = yield* abandonedEvents(redis)
        assert.strictEqual(far?.abandoned.reason, "invalid")
        assert.strictEqual(far?.abandoned.error_message, "retry: its not_before must be at most a day ahead")
        assert.strictEqual(far?.abandoned.origin_stream, dlq)
        assert.strictEqual(far?.abandoned.origin_id, id)
        assert.deepStrictEqual(
          far?.event.filter((_, i) => i % 2 === 0),
          ["retry", "event"]
        )
        assert.strictEqual(farthest?.abandoned.reason, "invalid")
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
        assert.deepStrictEqual(api.attempts, [])
      })
    )
  })

  it.effect("within a day is waited for", () => {
    const api = new ScriptedApi()
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* addRetry(redis, "tomorrow", 24 * hour - 60_000)
        yield* travel(60_000)
        assert.deepStrictEqual(api.attempts, [])
        assert.deepStrictEqual(yield* abandonedEvents(redis), [])
        assert.strictEqual(yield* lengthOf(redis, dlq), 1)
      })
    )
  })
})

describe("a hold that is full of what is due late", () => {
  it.effect("starves no retry: the latest due give way", () => {
    const api = new ScriptedApi()
    failsFirst(api, "good")
    return withCollector(api, { dlqHold: 10 }, (redis) =>
      Effect.gen(function* () {
        for (let i = 0; i < 250; i++) yield* addRetry(redis, `late-${i}`, 20 * hour)
        yield* travel(10_000)
        yield* addEvent(redis, "good")
        yield* travel(10_000)
        assert.deepStrictEqual(api.instants("good"), [10_000, 15_000])
        // They stay pending, neither lost nor given up.
        assert.strictEqual(yield* pendingCount(redis, dlq), 250)
        yield* addEvent(redis, "neighbour")
        yield* travel(180_000)
        assert.deepStrictEqual(api.delivered, ["good", "neighbour"])
        assert.strictEqual(yield* pendingCount(redis, dlq), 250)
      })
    )
  })

  it.effect("after a start too, when they are its own already", () => {
    const api = new ScriptedApi()
    failsFirst(api, "good")
    const before = (redis: Redis["Service"]) =>
      Effect.gen(function* () {
        yield* redis.send("XGROUP", "CREATE", dlq, "job-collector-group", "0", "MKSTREAM")
        for (let i = 0; i < 250; i++) yield* addRetry(redis, `late-${i}`, 20 * hour)
        yield* redis.send("XREADGROUP", "GROUP", "job-collector-group", "me", "COUNT", "250", "STREAMS", dlq, ">")
      })
    return withCollector(
      api,
      { consumerName: "me", dlqHold: 10 },
      (redis) =>
        Effect.gen(function* () {
          yield* addEvent(redis, "good")
          yield* travel(10_000)
          assert.deepStrictEqual(api.instants("good"), [0, 5_000])
        }),
      before
    )
  })

  it.effect("what gave way is found again in time, each event once", () => {
    const api = new ScriptedApi()
    return withCollector(api, { dlqHold: 2 }, (redis) =>
      Effect.gen(function* () {
        const due = [40_000, 30_000, 20_000, 35_000, 25_000, 10_000, 45_000]
        for (const at of due) yield* addRetry(redis, `at-${at}`, at)
        yield* travel(50_000)
        const sorted = due.toSorted((a, b) => a - b)
        assert.deepStrictEqual(
          api.attempts.map(({ at, eventId }) => [eventId, at]),
          sorted.map((at) => [`at-${at}`, at])
        )
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
      })
    )
  })
})

describe("a DLQ entry's attempt", () => {
  it.effect("that no schedule follows up is abandoned as invalid, unsent; the last that one does is sent", () => {
    const api = new ScriptedApi()
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        const id = yield* addRetry(redis, "fifth", 0, 4)
        yield* addRetry(redis, "fourth", 0, 3)
        yield* travel(1_000)
        assert.deepStrictEqual(
          api.attempts.map(({ attempt, eventId }) => [eventId, attempt]),
          [["fourth", 4]]
        )
        const [end, ...more] = yield* abandonedEvents(redis)
        assert.deepInclude(end?.abandoned, {
          reason: "invalid",
          origin_stream: dlq,
          origin_id: id,
          error_message: "retry: its attempt must be at most 3: no schedule has the attempt after it"
        })
        assert.deepStrictEqual(more, [])
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
      })
    )
  })
})
