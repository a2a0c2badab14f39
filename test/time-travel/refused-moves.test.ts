/** Moves that Redis refuses: they hold up nobody, burn no attempt, show, and are written as soon as Redis takes them. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, Metric } from "effect"
import { JobCollector } from "../../src/JobCollector.ts"
import { type MemoryEngine, makeEngine } from "../../src/layers/redis/memory/engine.ts"
import { layerOf } from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NobleSigner from "../../src/layers/signing/NobleSigner.ts"
import * as Metrics from "../../src/services/Metrics.ts"
import { Redis } from "../../src/services/Redis.ts"
import { transcribeFields } from "../support/events.ts"
import { patientClock } from "../support/patient-clock.ts"
import { ScriptedApi, success, testPrivateKey, travel } from "../support/time-machine.ts"

const transcribe = "modelsgateway:events:transcribe"
const dlq = "modelsgateway:events:dlq"
const abandoned = "modelsgateway:events:abandoned"
const concurrency = 4

interface Scene {
  readonly engine: MemoryEngine
  readonly api: ScriptedApi
  readonly send: (name: string, ...args: ReadonlyArray<string>) => Effect.Effect<unknown, unknown>
  readonly produce: (id: string, more?: Record<string, string>) => Effect.Effect<unknown, unknown>
  readonly health: Effect.Effect<{ readonly status: string; readonly redis: string | undefined }>
  readonly refused: (reason: Metrics.RefusalReason) => Effect.Effect<number>
}

const scene = <A, E>(test: (scene: Scene) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const engine = yield* makeEngine
    const api = new ScriptedApi()
    const redis = layerOf(engine)
    const collector = JobCollector.layer({
      apiBaseUrl: "http://api.test",
      groupStartId: "0",
      deliveryConcurrency: concurrency,
      eventMaxAge: Duration.minutes(1)
    }).pipe(
      Layer.provide(Layer.mergeAll(redis, api.layer, NobleSigner.layer(testPrivateKey))),
      Layer.provide(Logger.layer([]))
    )
    yield* Effect.gen(function* () {
      const { health } = yield* JobCollector
      const { send } = yield* Redis
      yield* travel(2_000)
      yield* test({
        engine,
        api,
        send,
        produce: (id, more = {}) => send("XADD", transcribe, "*", ...transcribeFields(id, 0, more)),
        health: Effect.map(health.report, ({ checks, status }) => ({ status, redis: checks.redis.problem })),
        refused: (reason) => Effect.map(Metric.value(Metrics.movesRefused(reason)), ({ count }) => count)
      })
    }).pipe(Effect.provide(Layer.merge(collector, redis)))
  }).pipe(Effect.scoped, Effect.provide(patientClock))

const length = (send: Scene["send"], key: string) => Effect.map(send("XLEN", key), Number)

describe("a move that Redis refuses", () => {
  it.effect("because its key holds something else lets others pass, shows, and is done once the key is free", () =>
    scene(({ api, health, produce, refused, send }) =>
      Effect.gen(function* () {
        const before = yield* refused("wrong_type")
        yield* send("SET", abandoned, "mine")
        for (let n = 0; n < 3 * concurrency; n++) yield* produce(`bad-${n}`, { audio_seconds: "-1" })
        yield* travel(1_000)
        for (let n = 0; n < 20; n++) yield* produce(`good-${n}`)
        yield* travel(5_000)
        assert.strictEqual(api.delivered.length, 20)
        const { redis, status } = yield* health
        assert.strictEqual(status, "degraded")
        assert.match(redis ?? "", /cannot move to modelsgateway:events:abandoned: WRONGTYPE/)
        assert.isAbove((yield* refused("wrong_type")) - before, 3 * concurrency)
        yield* travel(120_000)
        yield* send("DEL", abandoned)
        yield* travel(31_000)
        assert.strictEqual(yield* length(send, abandoned), 3 * concurrency)
        assert.deepStrictEqual(yield* health, { status: "ok", redis: undefined })
      })
    )
  )

  it.effect(
    "for want of a permission burns no attempt and sends nothing twice: what was decided is written later",
    () =>
      scene(({ api, engine, produce, refused, send }) =>
        Effect.gen(function* () {
          const before = yield* refused("no_permission")
          api.answer = ({ attempt }) => (attempt === 1 ? { status: 500 } : success)
          engine.permit((name, args) => name !== "XADD" || args[0] !== dlq)
          for (let n = 0; n < 2 * concurrency; n++) yield* produce(`e-${n}`)
          yield* travel(60_000)
          assert.strictEqual(api.attempts.length, 2 * concurrency)
          assert.isAbove((yield* refused("no_permission")) - before, 2 * concurrency)
          engine.permit(() => true)
          yield* travel(40_000)
          assert.deepStrictEqual(api.attempts.map(({ attempt }) => attempt).sort(), [
            ...Array(2 * concurrency).fill(1),
            ...Array(2 * concurrency).fill(2)
          ])
          assert.strictEqual(api.delivered.length, 2 * concurrency)
          assert.strictEqual(yield* length(send, dlq), 0)
        })
      )
  )

  it.effect("since the stream has its largest id already is one of them", () =>
    scene(({ api, health, produce, send }) =>
      Effect.gen(function* () {
        yield* send("XADD", abandoned, "18446744073709551615-18446744073709551615", "f", "v")
        for (let n = 0; n < concurrency; n++) yield* produce(`bad-${n}`, { audio_seconds: "-1" })
        yield* travel(1_000)
        for (let n = 0; n < 5; n++) yield* produce(`good-${n}`)
        yield* travel(5_000)
        assert.strictEqual(api.delivered.length, 5)
        assert.strictEqual((yield* health).status, "degraded")
        yield* send("DEL", abandoned)
        yield* travel(31_000)
        assert.strictEqual(yield* length(send, abandoned), concurrency)
      })
    )
  )

  it.effect("is told from other steps: a look-up of replays that is refused waits as well", () =>
    scene(({ api, health, produce, send }) =>
      Effect.gen(function* () {
        yield* send("SET", `{${transcribe}}:replayed`, "mine")
        yield* travel(120_000)
        for (let n = 0; n < concurrency; n++) yield* produce(`old-${n}`)
        const now = `${120_000}`
        for (let n = 0; n < 5; n++) yield* produce(`good-${n}`, { started_at: now, completed_at: now })
        yield* travel(5_000)
        assert.strictEqual(api.delivered.length, 5)
        assert.match((yield* health).redis ?? "", /cannot look for replays/)
        yield* send("DEL", `{${transcribe}}:replayed`)
        yield* travel(31_000)
        assert.strictEqual(yield* length(send, abandoned), concurrency)
      })
    )
  )
})
