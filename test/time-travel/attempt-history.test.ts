/** What DLQ and abandoned entries tell of the attempts made, and what a replay keeps of them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Result, Stream } from "effect"
import { decodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import { marked } from "../../src/domain/delivery/replayed.ts"
import { defaultStreams } from "../../src/domain/options/options.ts"
import { storedRules } from "../../src/domain/traffic/rules.ts"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import { abandonedItem, makeFateOf, replay } from "../../src/programs/operator/redrive.ts"
import { scan } from "../../src/programs/operator/scan.ts"
import { EventStreams, rulesKey } from "../../src/services/EventStreams.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"
import { objectOf, transcribeFields } from "../support/events.ts"
import { abandoned, abandonedEvents, addEvent, dlq, group, processing, transcribe } from "../support/streams.ts"
import { type ScriptedAnswer, ScriptedApi, success, travel, withCollector } from "../support/time-machine.ts"

const message = `${"x".repeat(193)}🙂${"y".repeat(50)}`
const unavailable = { status: 503, delay: 250, body: { error_code: "E_DB", error_message: message } }
const timeout = { status: 200, delay: 20_000 }

const failed = (at: number) => ({
  at,
  error_code: "HTTP_503",
  error_message: `E_DB: ${"x".repeat(193)}\ufffd`.slice(0, 200),
  status: 503,
  duration_ms: 250,
  consumer: "consumer-1"
})

type Service = Redis["Service"]

const retries = (redis: Service) =>
  Effect.map(redis.send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>("XRANGE", dlq, "-", "+"), (entries) =>
    entries.map(([, fields]) => Result.getOrThrow(decodeDlqEntry(fields)).retry)
  )

/** Puts all that was abandoned back, as `abandoned replay` does. */
const replayAll = (redis: Service, toStream?: string) =>
  Effect.gen(function* () {
    const streams = yield* EventStreams
    const items = Stream.map(scan(streams, abandoned), (entry) => abandonedItem(abandoned, entry))
    return yield* replay(streams, items, 1_000, makeFateOf([defaultStreams], toStream), () => Effect.void)
  }).pipe(Effect.provide(Layer.provide(EventStreamsLayer.layer, Layer.succeed(Redis, redis))))

/** An API that fails the attempts of the first rounds; the bodies that it got. */
const failingApi = (answer: (nth: number) => ScriptedAnswer) => {
  const api = new ScriptedApi()
  api.answer = () => answer(api.attempts.length)
  return api
}

describe("the history of an event", () => {
  it.effect("has each attempt made: when, what came of it, how long it took, by whom", () => {
    const api = failingApi((nth) => (nth === 2 ? timeout : unavailable))
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "evt-1")
        yield* travel(1_000, 50)
        assert.deepStrictEqual(
          (yield* retries(redis)).map(({ history }) => history),
          [[failed(0)]]
        )
        yield* travel(100_000, 250)
        const [end] = yield* abandonedEvents(redis)
        assert.strictEqual(end?.abandoned.attempts, 4)
        assert.deepStrictEqual(
          end?.history.map(({ at, duration_ms, status }) => [at, duration_ms, status]),
          [
            [0, 250, 503],
            [5_250, 10_000, null],
            [30_250, 250, 503],
            [75_500, 250, 503]
          ]
        )
        assert.strictEqual(end?.history[1]?.error_code, "TIMEOUT")
        assert.deepStrictEqual(end?.history[0], failed(0))
        assert.deepStrictEqual(end?.replayed, [])
      })
    )
  })

  it.effect("tells once of an attempt whose move Redis refused", () => {
    const api = failingApi(() => unavailable)
    let refusals = 0
    const refusing = (redis: Service): Service => ({
      ...redis,
      send: (name, ...args) =>
        name === "EVAL" && args[3] === dlq && ++refusals <= 2
          ? Effect.fail(new RedisError({ cause: new Error("WRONGTYPE of another") }))
          : redis.send(name, ...args)
    })
    return withCollector(
      api,
      {},
      (redis) =>
        Effect.gen(function* () {
          yield* addEvent(redis, "evt-1")
          yield* travel(4_500, 50)
          assert.isAbove(refusals, 2)
          assert.strictEqual(api.attempts.length, 1)
          assert.deepStrictEqual(
            (yield* retries(redis)).map(({ history }) => history),
            [[failed(0)]]
          )
        }),
      undefined,
      refusing
    )
  })

  it.effect("has no attempt that failed while the circuit was open", () => {
    let away = true
    const api = new ScriptedApi()
    api.answer = () => (away ? unavailable : success)
    return withCollector(api, { deliveryConcurrency: 20 }, (redis) =>
      Effect.gen(function* () {
        for (let n = 0; n < 12; n++) yield* addEvent(redis, `evt-${n}`)
        yield* travel(60_000, 250)
        const known = yield* retries(redis)
        for (const { attempt, history } of known) assert.strictEqual(history?.length, attempt)
        assert.isAbove(api.attempts.length, 12)
        assert.isBelow(
          known.reduce((sum, { attempt }) => sum + attempt, 0),
          api.attempts.length
        )
        away = false
      })
    )
  })

  it.effect("stays with an event that ends as invalid", () => {
    const retry = {
      attempt: 1,
      not_before: 0,
      origin_stream: transcribe,
      origin_id: "1-1",
      first_failed_at: 0,
      last_failed_at: 0,
      error_code: "HTTP_503",
      error_message: "",
      history: [failed(0)]
    }
    return withCollector(new ScriptedApi(), {}, (redis) =>
      Effect.gen(function* () {
        const bad = JSON.stringify(objectOf(transcribeFields("evt-1", 0, { audio_seconds: "-1" })))
        yield* redis.send("XADD", dlq, "*", "retry", JSON.stringify(retry), "event", bad)
        yield* travel(1_000)
        const [end] = yield* abandonedEvents(redis)
        assert.strictEqual(end?.abandoned.reason, "invalid")
        assert.deepStrictEqual(end?.history, [failed(0)])
      })
    )
  })
})

describe("a replayed event", () => {
  /** What the source of each request was. */
  const sourcesOf = (api: ScriptedApi) => api.bodies.map((body) => body.source)

  it.effect("keeps its first source and its earlier history, through several replays", () => {
    const api = failingApi((nth) => (nth > 9 ? success : unavailable))
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        const id = yield* addEvent(redis, "evt-1", { note: "kept" })
        yield* travel(70_000)
        const [first] = yield* abandonedEvents(redis)
        assert.strictEqual((yield* replayAll(redis)).done, 1)
        yield* travel(3_000)
        const [retry] = yield* retries(redis)
        assert.deepStrictEqual([retry?.origin_stream, retry?.origin_id, retry?.attempt], [transcribe, id, 1])
        assert.deepStrictEqual(retry?.replayed, first?.history)
        assert.strictEqual(retry?.history?.length, 1)
        yield* travel(70_000)
        const [second] = yield* abandonedEvents(redis)
        assert.deepStrictEqual([second?.abandoned.origin_id, second?.abandoned.attempts], [id, 4])
        assert.deepStrictEqual(second?.replayed, first?.history)
        assert.deepStrictEqual(second?.event, first?.event)
        yield* replayAll(redis)
        yield* travel(1_000)
        const [third] = yield* retries(redis)
        assert.deepStrictEqual(third?.replayed, [...(first?.history ?? []), ...(second?.history ?? [])])
        yield* travel(10_000)
        assert.deepStrictEqual(api.delivered, ["evt-1"])
        assert.strictEqual(api.attempts.length, 10)
        for (const source of sourcesOf(api)) assert.deepStrictEqual(source, { stream: transcribe, id })
        for (const body of api.bodies) assert.deepStrictEqual(body.attributes, { note: "kept" })
      })
    )
  })

  it.effect("in the form `data` is read as it came", () => {
    const api = failingApi((nth) => (nth > 4 ? success : unavailable))
    const data = JSON.stringify({ ...objectOf(transcribeFields("evt-1", 0)), audio_seconds: 10.5, metadata: undefined })
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        const id = yield* redis.send<string>("XADD", transcribe, "*", "data", data)
        yield* travel(70_000)
        yield* replayAll(redis)
        yield* travel(2_000)
        assert.deepStrictEqual(api.delivered, ["evt-1"])
        for (const source of sourcesOf(api)) assert.deepStrictEqual(source, { stream: transcribe, id })
      })
    )
  })

  it.effect("that went to another stream is retried as an event of that one, and still has its first source", () => {
    const api = failingApi((nth) => (nth > 5 ? success : unavailable))
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        const id = yield* addEvent(redis, "evt-1")
        yield* travel(70_000)
        // A transcription lacks what a processed event must have: what it is read as is told by how it ends.
        yield* replayAll(redis, processing)
        yield* travel(2_000)
        const [end] = yield* abandonedEvents(redis)
        assert.deepStrictEqual(
          [end?.abandoned.reason, end?.abandoned.origin_stream, end?.abandoned.origin_id, end?.abandoned.stream],
          ["invalid", transcribe, id, processing]
        )
        assert.strictEqual(end?.replayed.length, 4)
        yield* replayAll(redis, transcribe)
        yield* travel(10_000)
        assert.deepStrictEqual(api.delivered, ["evt-1"])
        for (const source of sourcesOf(api)) assert.deepStrictEqual(source, { stream: transcribe, id })
      })
    )
  })

  it.effect("keeps them where it is set aside", () => {
    const api = failingApi(() => ({ status: 422 }))
    return withCollector(api, { dlqHold: 1 }, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "evt-1", { user_id: "u-1" })
        yield* travel(1_000)
        const [given] = yield* abandonedEvents(redis)
        const park = { kind: "park", field: "user_id", value: "u-1", at: 0, by: "me" } as const
        yield* redis.send("SET", rulesKey(transcribe, group), storedRules([park]))
        yield* travel(2_000)
        // One may wait where it was read.
        yield* addEvent(redis, "evt-2", { user_id: "u-1" })
        yield* travel(1_000)
        yield* replayAll(redis)
        yield* travel(1_000)
        const [aside] = yield* retries(redis)
        assert.deepInclude(aside, { attempt: 0, set_aside: "parked", history: [] })
        assert.strictEqual(given?.history?.length, 1)
        assert.deepStrictEqual(aside?.replayed, given?.history)
      })
    )
  })

  it.effect("is not what a producer can make: the same field without a replay is an attribute", () => {
    const api = new ScriptedApi()
    const forged = marked(transcribeFields("evt-1", 0), { source: { stream: "elsewhere", id: "1-1" }, history: [] })
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        const id = yield* redis.send<string>("XADD", transcribe, "*", ...forged)
        yield* travel(1_000)
        assert.deepStrictEqual(sourcesOf(api), [{ stream: transcribe, id }])
        assert.deepStrictEqual(Object.keys(Object(api.bodies[0]?.attributes)), ["job-collector:replayed"])
      })
    )
  })

  it.effect("asks Redis once whether it was replayed, and others never", () => {
    const api = failingApi((nth) => (nth > 4 ? success : unavailable))
    let asked = 0
    const counting = (redis: Service): Service => ({
      ...redis,
      send: (name, ...args) => {
        // The check of permissions at the start asks of no entry.
        if (name === "SISMEMBER" && args[1] !== "0-0") asked += 1
        return redis.send(name, ...args)
      }
    })
    return withCollector(
      api,
      {},
      (redis) =>
        Effect.gen(function* () {
          yield* addEvent(redis, "evt-1")
          yield* travel(70_000)
          assert.strictEqual(asked, 0)
          yield* replayAll(redis)
          yield* travel(2_000)
          assert.strictEqual(asked, 1)
          assert.deepStrictEqual(api.delivered, ["evt-1"])
        }),
      undefined,
      counting
    )
  })
})
