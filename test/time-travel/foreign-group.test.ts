import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger } from "effect"
import { JobCollector } from "../../src/JobCollector.ts"
import { layer as memoryLayer } from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NobleSigner from "../../src/layers/signing/NobleSigner.ts"
import { Redis } from "../../src/services/Redis.ts"
import { patientClock } from "../support/patient-clock.ts"
import { ScriptedApi, testPrivateKey, travel } from "../support/time-machine.ts"

const dlq = "modelsgateway:events:dlq"
const abandoned = "modelsgateway:events:abandoned"

const collectorOf = (consumerGroup: string) =>
  JobCollector.layer({ apiBaseUrl: "http://api.test", consumerGroup }).pipe(
    Layer.provide(Layer.mergeAll(new ScriptedApi().layer, NobleSigner.layer(testPrivateKey))),
    Layer.provide(Logger.layer([]))
  )

const collector = collectorOf("job-collector-group")

/** Another service, which reads a stream under a group of its own. */
const reads = (stream: string) =>
  Effect.gen(function* () {
    const redis = yield* Redis
    yield* redis.send("XGROUP", "CREATE", stream, "billing", "0", "MKSTREAM")
    yield* redis.send("XADD", stream, "*", "f", "v")
    yield* redis.send("XREADGROUP", "GROUP", "billing", "b-1", "STREAMS", stream, ">")
  })

describe("another group on streams that belong to one", () => {
  for (const stream of [dlq, abandoned]) {
    it.effect(`at work on ${stream} ends the start, named with the settings to change, and nothing is created`, () =>
      Effect.gen(function* () {
        yield* reads(stream)
        yield* travel(50_000)
        yield* Effect.gen(function* () {
          const ended = yield* Effect.forkChild(Effect.exit(JobCollector.join))
          yield* travel(1_000)
          const exit = yield* Fiber.join(ended)
          assert.isTrue(Exit.isFailure(exit))
          const said = Exit.isFailure(exit) ? String(exit.cause) : ""
          for (const part of ["StreamTaken", "billing", stream, "STREAM_DLQ", "CONSUMER_GROUP"]) {
            assert.include(said, part)
          }
        }).pipe(Effect.provide(collector))
        assert.deepStrictEqual(yield* (yield* Redis).send("KEYS", "*"), [stream])
      }).pipe(Effect.provide([memoryLayer, patientClock]))
    )
  }

  it.effect("does no harm once its consumers are gone", () =>
    Effect.gen(function* () {
      yield* reads(dlq)
      yield* travel(61_000)
      yield* Effect.gen(function* () {
        const { health } = yield* JobCollector
        yield* travel(2_000)
        assert.deepStrictEqual(yield* health.ready, { ready: true, reasons: [] })
      }).pipe(Effect.provide(collector))
    }).pipe(Effect.provide([memoryLayer, patientClock]))
  )

  it.effect("is known by its claim however idle it is, and keeps its streams", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* JobCollector
        yield* travel(300_000)
        yield* Effect.gen(function* () {
          const ended = yield* Effect.forkChild(Effect.exit(JobCollector.join))
          yield* travel(1_000)
          assert.include(String(yield* Fiber.join(ended)), "StreamTaken")
        }).pipe(Effect.provide(collector))
      }).pipe(Effect.provide(collectorOf("billing")))
      // Nobody renews its claim any more.
      yield* travel(91_000)
      yield* Effect.gen(function* () {
        const { health } = yield* JobCollector
        yield* travel(2_000)
        assert.deepStrictEqual(yield* health.ready, { ready: true, reasons: [] })
      }).pipe(Effect.provide(collector))
    }).pipe(Effect.provide([memoryLayer, patientClock]))
  )
})
