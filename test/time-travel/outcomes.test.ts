/** Outcomes of delivered events: kept for a while, in the step that acknowledges, and worth less than that. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { decodeOutcome } from "../../src/domain/delivery/outcome.ts"
import { defaultStreams } from "../../src/domain/options/options.ts"
import { JobCollector } from "../../src/JobCollector.ts"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import { tell } from "../../src/programs/operator/eventHistory.ts"
import { EventStreams, outcomeKey } from "../../src/services/EventStreams.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"
import { scriptName } from "../../src/services/Scripts.ts"
import { addEvent, dlq, group, lengthOf, pendingCount, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, travel, withCollector } from "../support/time-machine.ts"

type Service = Redis["Service"]

const hour = { outcomeRetention: Duration.hours(1) }

const keptOf = (redis: Service, stream: string, eventId: string) =>
  Effect.map(redis.send<string | null>("GET", outcomeKey(stream, eventId)), (text) =>
    text === null ? undefined : decodeOutcome(text)
  )

const verdictOf = (redis: Service, eventId: string) =>
  Effect.gen(function* () {
    const streams = yield* EventStreams
    return (yield* tell(streams, group, [defaultStreams], eventId, {})).verdict
  }).pipe(Effect.provide(Layer.provide(EventStreamsLayer.layer, Layer.succeed(Redis, redis))))

const commandsOf =
  (through: Array<string>) =>
  (redis: Service): Service => ({
    ...redis,
    send: (name, ...args) => {
      through.push(name === "EVAL" ? (scriptName(args[0] ?? "") ?? "") : name)
      return redis.send(name, ...args)
    }
  })

describe("an outcome", () => {
  it.effect(
    "is kept for OUTCOME_RETENTION, in the step that acknowledges, at the first attempt and at a later one",
    () => {
      const api = new ScriptedApi()
      api.answer = ({ attempt, eventId }) => (eventId === "late" && attempt === 1 ? { status: 500 } : success)
      const sent: Array<string> = []
      return withCollector(
        api,
        hour,
        (redis) =>
          Effect.gen(function* () {
            const id = yield* addEvent(redis, "evt-1")
            const late = yield* addEvent(redis, "late")
            yield* travel(10_000)
            const about = { job_id: "job-1", credits: 58, stream: transcribe }
            assert.deepStrictEqual(yield* keptOf(redis, transcribe, "evt-1"), {
              ...about,
              event_id: "evt-1",
              attempts: 1,
              at: 0,
              id
            })
            assert.deepStrictEqual(yield* keptOf(redis, dlq, "late"), {
              ...about,
              event_id: "late",
              attempts: 2,
              at: 5_000,
              id: late
            })
            assert.strictEqual(sent.filter((name) => name === "conclude").length, 2)
            assert.isFalse(sent.includes("XACK") || sent.includes("finish"))
            assert.deepStrictEqual([yield* pendingCount(redis, transcribe), yield* pendingCount(redis, dlq)], [0, 0])
            assert.strictEqual(yield* lengthOf(redis, dlq), 0)
            assert.strictEqual(
              yield* verdictOf(redis, "late"),
              "it was delivered 1970-01-01T00:00:05.000Z at attempt 2: job job-1, 58 credits"
            )
            yield* travel(3_590_000, 10_000)
            assert.isUndefined(yield* keptOf(redis, transcribe, "evt-1"))
            assert.match(yield* verdictOf(redis, "evt-1"), /no outcome was kept/)
          }),
        undefined,
        commandsOf(sent)
      )
    }
  )

  it.effect("is not kept where it is not asked for: events are acknowledged by XACK alone", () => {
    const sent: Array<string> = []
    return withCollector(
      new ScriptedApi(),
      {},
      (redis) =>
        Effect.gen(function* () {
          yield* addEvent(redis, "evt-1")
          yield* travel(1_000)
          assert.isUndefined(yield* keptOf(redis, transcribe, "evt-1"))
          assert.isTrue(sent.includes("XACK"))
          assert.isFalse(sent.includes("conclude"))
        }),
      undefined,
      commandsOf(sent)
    )
  })

  it.effect("that Redis refuses to keep holds up no acknowledgement, and shows", () => {
    let refuses = true
    const refusing = (redis: Service): Service => ({
      ...redis,
      send: (name, ...args) =>
        refuses && name === "EVAL" && scriptName(args[0] ?? "") === "conclude"
          ? Effect.fail(new RedisError({ cause: new Error("OOM command not allowed when used memory > 'maxmemory'.") }))
          : redis.send(name, ...args)
    })
    return withCollector(
      new ScriptedApi(),
      hour,
      (redis) =>
        Effect.gen(function* () {
          const { health } = yield* JobCollector
          yield* addEvent(redis, "evt-1")
          yield* travel(2_000)
          assert.strictEqual(yield* pendingCount(redis, transcribe), 0)
          const bad = yield* health.report
          assert.strictEqual(bad.status, "degraded")
          assert.match(bad.checks.redis.problem ?? "", /cannot keep outcomes beside .*:transcribe: OOM/)
          refuses = false
          yield* addEvent(redis, "evt-2")
          yield* travel(2_000)
          assert.strictEqual((yield* keptOf(redis, transcribe, "evt-2"))?.job_id, "job-1")
          assert.strictEqual((yield* health.report).status, "ok")
        }),
      undefined,
      refusing
    )
  })

  it.effect("is written when Redis is back, with the acknowledgement that it was away for", () => {
    let away = 0
    const failing = (redis: Service): Service => ({
      ...redis,
      send: (name, ...args) =>
        name === "EVAL" && scriptName(args[0] ?? "") === "conclude" && ++away <= 3
          ? Effect.fail(new RedisError({ cause: new Error("LOADING Redis is loading the dataset in memory") }))
          : redis.send(name, ...args)
    })
    return withCollector(
      new ScriptedApi(),
      hour,
      (redis) =>
        Effect.gen(function* () {
          yield* addEvent(redis, "evt-1")
          yield* travel(30_000)
          assert.isAbove(away, 3)
          assert.strictEqual((yield* keptOf(redis, transcribe, "evt-1"))?.at, 0)
          assert.strictEqual(yield* pendingCount(redis, transcribe), 0)
        }),
      undefined,
      failing
    )
  })
})
