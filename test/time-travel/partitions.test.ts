/** One cannot stop all (contract section 6): partitions that hang or fail beside others, at exact instants. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { decodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import { storedRules } from "../../src/domain/traffic/rules.ts"
import { rulesKey } from "../../src/services/EventStreams.ts"
import type { Redis } from "../../src/services/Redis.ts"
import { abandoned, addEvent, dlq, group, lengthOf, pendingCount, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, travel, withCollector } from "../support/time-machine.ts"

/** Events are named `<user>.<model>.<number>`. */
const add = (redis: Redis["Service"], user: string, model: string, from: number, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => `${user}.${model}.${from + i}`),
    (id) => addEvent(redis, id, { user_id: user, model }),
    { discard: true }
  )
const userOf = (eventId: string) => eventId.split(".")[0] ?? ""
const modelOf = (eventId: string) => eventId.split(".")[1] ?? ""

/** The requests of some events that are under way at a time, of those that take so long. */
const underWay = (api: ScriptedApi, at: number, lasts: number, ofWhom: (eventId: string) => boolean) =>
  api.attempts.filter(
    (attempt) => ofWhom(attempt.eventId) && attempt.at <= begun + at && begun + at < attempt.at + lasts
  ).length

/** When the ramp of the beginning is over, in milliseconds. */
const begun = 4_000

/** A collector that has as many permits as it ever has; times are counted from then. */
const withBegun = (
  api: ScriptedApi,
  options: Parameters<typeof withCollector>[1],
  test: (redis: Redis["Service"]) => Effect.Effect<void, unknown>
) =>
  withCollector(api, options, (redis) =>
    Effect.andThen(travel(begun), test(redis)).pipe(
      // What hangs comes to its end, or the stop would wait for it.
      // What hangs comes to its end, or the stop would wait for it.
      Effect.onError(() => travel(60_000, 10_000))
    )
  )

const instants = (api: ScriptedApi, eventId: string) => api.instants(eventId).map((at) => at - begun)

const ofUser = (user: string) => (eventId: string) => userOf(eventId) === user
const ofModel = (model: string) => (eventId: string) => modelOf(eventId) === model

describe("a user whose requests hang", () => {
  it.effect("has every permit while nobody else wants one", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ ...success, delay: 5_000 })
    return withBegun(api, { deliveryConcurrency: 8 }, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, "u1", "m1", 0, 20)
        yield* travel(1_000)
        assert.strictEqual(underWay(api, 1_000, 5_000, ofUser("u1")), 8)
        yield* travel(30_000)
        assert.strictEqual(api.delivered.length, 20)
      })
    )
  })

  it.effect("has its share of them, and the others are delivered as they come", () => {
    const api = new ScriptedApi()
    api.answer = ({ eventId }) => (userOf(eventId) === "u1" ? { ...success, delay: 9_000 } : success)
    return withBegun(api, { deliveryConcurrency: 8 }, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, "u2", "m1", 0, 1)
        yield* travel(100, 100)
        yield* add(redis, "u1", "m1", 0, 40)
        for (let i = 0; i < 40; i++) {
          yield* add(redis, "u2", "m1", 10 + 2 * i, 2)
          yield* travel(300, 300)
          assert.isAtMost(underWay(api, 100 + i * 300, 9_000, ofUser("u1")), 4)
        }
        const of2 = api.attempts.filter(({ eventId }) => userOf(eventId) === "u2" && !eventId.endsWith(".0"))
        assert.strictEqual(of2.length, 80)
        for (const { at, eventId } of of2) {
          const addedAt = 100 + Math.floor((Number(eventId.split(".")[2]) - 10) / 2) * 300
          assert.isAtMost(at - begun - addedAt, 0, eventId)
        }
        yield* travel(90_000)
        assert.strictEqual(api.delivered.length, 121, "each once")
        assert.strictEqual(yield* pendingCount(redis, transcribe), 0)
        assert.strictEqual(yield* lengthOf(redis, dlq), 0, "nothing was set aside")
      })
    )
  })
})

describe("a user who hangs in one of two models", () => {
  it.effect("stops neither that model's other users nor the other model", () => {
    const api = new ScriptedApi()
    api.answer = ({ eventId }) => (userOf(eventId) === "u1" ? { ...success, delay: 9_000 } : success)
    return withBegun(api, { deliveryConcurrency: 8 }, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, "u2", "m2", 0, 1)
        yield* travel(100, 100)
        yield* add(redis, "u1", "m1", 0, 40)
        for (let i = 0; i < 40; i++) {
          yield* add(redis, "u2", "m1", 10 + i, 1)
          yield* add(redis, "u3", "m2", 10 + i, 1)
          yield* travel(300, 300)
          assert.strictEqual(api.delivered.filter((id) => !ofUser("u1")(id)).length, 2 * i + 3, `at ${i}`)
        }
        yield* travel(100_000, 9_000)
        assert.strictEqual(api.delivered.length, 121)
      })
    )
  })

  it.effect("while that model hangs for all, it has no more than its share and half of the rest", () => {
    const api = new ScriptedApi()
    api.answer = ({ eventId }) => (modelOf(eventId) === "m1" ? { ...success, delay: 9_000 } : success)
    return withBegun(api, { deliveryConcurrency: 8 }, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, "u2", "m2", 0, 1)
        yield* travel(100, 100)
        yield* add(redis, "u1", "m1", 0, 20)
        yield* add(redis, "u2", "m1", 0, 20)
        for (let i = 0; i < 20; i++) {
          yield* add(redis, "u3", "m2", i, 1)
          yield* travel(300, 300)
          assert.strictEqual(underWay(api, 300 * i + 100, 9_000, ofModel("m1")), 6)
          assert.strictEqual(api.delivered.filter(ofModel("m2")).length, i + 2)
        }
        yield* travel(100_000, 9_000)
        assert.strictEqual(api.delivered.length, 61)
      })
    )
  })
})

describe("a user whose requests fail", () => {
  it.effect("has a circuit that opens alone: probes after 5, 10, 20 s, another event each, no attempt counted", () => {
    const api = new ScriptedApi()
    let well = false
    api.answer = ({ eventId }) => (userOf(eventId) === "u1" && !well ? { status: 503 } : success)
    return withBegun(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, "u2", "m1", 0, 1)
        yield* travel(1_000)
        yield* add(redis, "u1", "m1", 0, 10)
        yield* travel(1_000)
        yield* add(redis, "u1", "m1", 10, 10)
        yield* add(redis, "u2", "m1", 10, 10)
        yield* travel(38_000)
        const of1 = api.attempts.filter(({ eventId }) => userOf(eventId) === "u1")
        assert.deepStrictEqual(
          of1.slice(10).map(({ at }) => at - begun),
          [6_000, 16_000, 36_000]
        )
        assert.strictEqual(new Set(of1.slice(10).map(({ eventId }) => eventId)).size, 3)
        assert.isTrue(
          of1.slice(10).every(({ attempt, eventId }) => attempt === 1 || Number(eventId.split(".")[2]) < 10)
        )
        assert.strictEqual(api.delivered.length, 11, "all of the others")
        well = true
        yield* travel(60_000)
        assert.strictEqual(new Set(api.delivered).size, 31)
        assert.strictEqual(api.delivered.length, 31, "each once")
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
        assert.strictEqual(yield* pendingCount(redis, transcribe), 0)
      })
    )
  })
})

describe("a 429", () => {
  const answers = (api: ScriptedApi, limited: (eventId: string) => boolean) => {
    api.answer = ({ attempt, eventId }) =>
      limited(eventId) && attempt === 1 ? { status: 429, headers: { "retry-after": "30" } } : success
  }

  it.effect("pauses the user it was about while others succeed", () => {
    const api = new ScriptedApi()
    answers(api, (eventId) => eventId === "u1.m1.0")
    return withBegun(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, "u2", "m1", 0, 1)
        yield* travel(1_000)
        yield* add(redis, "u1", "m1", 0, 1)
        yield* travel(1_000)
        yield* add(redis, "u1", "m1", 1, 1)
        yield* add(redis, "u2", "m1", 1, 1)
        yield* travel(28_999)
        assert.deepStrictEqual(instants(api, "u2.m1.1"), [2_000])
        assert.deepStrictEqual(instants(api, "u1.m1.1"), [])
        yield* travel(1)
        assert.deepStrictEqual(instants(api, "u1.m1.1"), [31_000])
        assert.deepStrictEqual(instants(api, "u1.m1.0"), [1_000, 31_000])
      })
    )
  })

  it.effect("told to two users of a model pauses the model", () => {
    const api = new ScriptedApi()
    answers(api, (eventId) => modelOf(eventId) === "m1")
    return withBegun(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* add(redis, "u9", "m2", 0, 1)
        yield* travel(1_000)
        yield* add(redis, "u1", "m1", 0, 1)
        yield* travel(1_000)
        yield* add(redis, "u2", "m1", 0, 1)
        yield* travel(1_000)
        yield* add(redis, "u3", "m1", 0, 1)
        yield* add(redis, "u3", "m2", 0, 1)
        yield* travel(28_999)
        assert.deepStrictEqual(instants(api, "u3.m2.0"), [3_000])
        assert.deepStrictEqual(instants(api, "u3.m1.0"), [])
        yield* travel(1)
        assert.deepStrictEqual(instants(api, "u3.m1.0"), [32_000])
      })
    )
  })
})

describe("a user who is parked", () => {
  const park = (redis: Redis["Service"], ...users: ReadonlyArray<string>) =>
    redis.send(
      "SET",
      rulesKey(transcribe, group),
      storedRules(users.map((value) => ({ kind: "park", field: "user_id", value, at: 0, by: "me" })))
    )

  it.effect(
    "is not attempted; past DLQ_HOLD what comes is set aside, the others flow, and all of it goes on after",
    () => {
      const api = new ScriptedApi()
      return withBegun(api, { dlqHold: 10 }, (redis) =>
        Effect.gen(function* () {
          yield* park(redis, "u1")
          yield* travel(2_000)
          yield* add(redis, "u1", "m1", 0, 100)
          yield* add(redis, "u2", "m1", 0, 50)
          yield* travel(20_000)
          assert.strictEqual(api.attempts.length, 50)
          assert.isFalse(api.attempts.some(({ eventId }) => userOf(eventId) === "u1"))
          assert.strictEqual(yield* lengthOf(redis, dlq), 90)
          const aside = yield* redis.send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>(
            "XRANGE",
            dlq,
            "-",
            "+"
          )
          for (const [, fields] of aside) {
            const { retry } = Result.getOrThrow(decodeDlqEntry(fields))
            assert.deepInclude(retry, { attempt: 0, set_aside: "parked", partition: "user_id=u1", history: [] })
          }
          // Retries of others are not held up by what waits.
          api.answer = ({ attempt, eventId }) => (eventId === "u2.m1.50" && attempt === 1 ? { status: 500 } : success)
          yield* add(redis, "u2", "m1", 50, 1)
          yield* travel(10_000)
          assert.deepStrictEqual(instants(api, "u2.m1.50"), [22_000, 27_000])
          yield* park(redis)
          yield* travel(60_000)
          assert.strictEqual(api.delivered.filter(ofUser("u1")).length, 100)
          assert.strictEqual(api.delivered.length, 151, "each once")
          assert.isTrue(api.attempts.every(({ attempt, eventId }) => attempt === 1 || eventId === "u2.m1.50"))
          assert.strictEqual(yield* lengthOf(redis, dlq), 0)
          assert.strictEqual(yield* pendingCount(redis, transcribe), 0)
        })
      )
    }
  )
})

describe("retries of a user whose circuit is open", () => {
  it.effect("may be left in the DLQ any number of times, and are not taken for poison", () => {
    const api = new ScriptedApi()
    let well = false
    api.answer = ({ eventId }) => (userOf(eventId) !== "u1" || well ? success : { status: 503 })
    return withBegun(api, { dlqHold: 4, maxDeliveries: 3 }, (redis) =>
      Effect.gen(function* () {
        for (let i = 0; i < 40; i++) {
          yield* add(redis, "u1", "m1", i, 1)
          yield* add(redis, "u2", "m1", i, 1)
          yield* travel(500, 500)
        }
        well = true
        yield* travel(60_000)
        assert.strictEqual(yield* lengthOf(redis, abandoned), 0)
        assert.strictEqual(api.delivered.length, 80, "each once")
      })
    )
  })
})
