/** A wall clock that is set shifts nothing that is waited for inside the process (contract section 6). */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger } from "effect"
import { JobCollector } from "../../src/JobCollector.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { Redis } from "../../src/services/Redis.ts"
import { patientClock } from "../support/patient-clock.ts"
import { SetClock } from "../support/set-clock.ts"
import { abandoned, addEvent, lengthOf } from "../support/streams.ts"
import { ScriptedApi, success, testPrivateKey, travel } from "../support/time-machine.ts"

const HOUR = 3_600_000

interface Scene {
  readonly api: ScriptedApi
  readonly redis: Redis["Service"]
  readonly clock: SetClock
  readonly collector: JobCollector["Service"]
}

/** A collector by a clock of its own; Redis and who looks on keep theirs. */
const withSetClock = <A, E>(test: (scene: Scene) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const redis = yield* Redis
    const api = new ScriptedApi()
    const clock = new SetClock()
    clock.offset = 10 * HOUR
    const layer = JobCollector.layer({ apiBaseUrl: "http://api.test" }).pipe(
      Layer.provide(
        Layer.mergeAll(Layer.succeed(Redis, redis), api.layer, NativeSigner.layer(testPrivateKey), Logger.layer([]))
      )
    )
    const context = yield* clock.under(Layer.buildWithScope(layer, yield* Effect.scope))
    yield* travel(2_000)
    return yield* test({ api, redis, clock, collector: Context.get(context, JobCollector) })
  }).pipe(Effect.provide(MemoryRedis.layer), Effect.scoped, Effect.provide(patientClock))

for (const hours of [-2, 3]) {
  describe(`a wall clock set by ${hours} h`, () => {
    it.effect("while the circuit is open moves no probe", () =>
      withSetClock(({ api, clock, collector, redis }) =>
        Effect.gen(function* () {
          api.answer = () => ({ status: 503 })
          for (let n = 0; n < 12; n++) yield* addEvent(redis, `evt-${n}`)
          yield* travel(1_000)
          const before = api.attempts.length
          clock.offset += hours * HOUR
          yield* travel(3_500, 500)
          assert.strictEqual(api.attempts.length, before)
          yield* travel(2_000, 500)
          assert.strictEqual(api.attempts.length, before + 1)
          api.answer = () => success
          yield* travel(12_000)
          const { checks } = yield* clock.under(collector.health.report)
          assert.strictEqual(checks.api.circuit, "closed")
          assert.includeMembers([...api.delivered], ["evt-10", "evt-11"])
        })
      )
    )

    it.effect("while a 429 pauses all deliveries moves no pause's end", () =>
      withSetClock(({ api, clock, redis }) =>
        Effect.gen(function* () {
          api.answer = () => ({ status: 429, headers: { "retry-after": "30" } })
          yield* addEvent(redis, "evt-1")
          yield* travel(1_000)
          api.answer = () => success
          clock.offset += hours * HOUR
          yield* addEvent(redis, "evt-2")
          yield* travel(27_000)
          assert.deepStrictEqual(api.delivered, [])
          yield* travel(3_000)
          assert.include(api.delivered, "evt-2")
        })
      )
    )

    it.effect("silences no loop, loses no name, and holds up neither events nor their moves", () =>
      withSetClock(({ api, clock, collector, redis }) =>
        Effect.gen(function* () {
          clock.offset += hours * HOUR
          api.answer = ({ eventId }) => (eventId === "evt-2" ? { status: 422 } : success)
          for (let minute = 0; minute < 5; minute++) {
            assert.deepStrictEqual(yield* clock.under(collector.health.live), { live: true, silent: [] })
            yield* travel(60_000)
          }
          yield* addEvent(redis, "evt-1")
          yield* addEvent(redis, "evt-2")
          yield* travel(2_000)
          assert.deepStrictEqual(api.delivered, ["evt-1"])
          assert.strictEqual(yield* lengthOf(redis, abandoned), 1)
          const { checks } = yield* clock.under(collector.health.report)
          assert.strictEqual(checks.consumer_groups.status, "ok")
        })
      )
    )
  })
}
