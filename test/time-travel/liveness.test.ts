import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { JobCollector } from "../../src/JobCollector.ts"
import { layerOf, makeEngine, layer as memoryLayer } from "../../src/layers/MemoryRedis.ts"
import * as NobleSigner from "../../src/layers/NobleSigner.ts"
import { Redis } from "../../src/services/Redis.ts"
import { ScriptedApi, testPrivateKey, travel } from "../support/time-machine.ts"

/** A host's own driver without time limits: from a moment on, one command is never answered. */
const hanging = (command: string, from: () => boolean) =>
  Layer.effect(
    Redis,
    Effect.gen(function* () {
      const engine = yield* makeEngine
      const real = yield* Effect.provide(Redis, layerOf(engine))
      return Redis.of({
        ...real,
        send: (name, ...args) => (name === command && from() ? Effect.never : real.send(name, ...args))
      })
    })
  )

const collectorOn = (redis: Layer.Layer<Redis>) =>
  JobCollector.layer({ apiBaseUrl: "http://api.test" }).pipe(
    Layer.provide(Layer.mergeAll(redis, new ScriptedApi().layer, NobleSigner.layer(testPrivateKey))),
    Layer.provide(Logger.layer([]))
  )

describe("liveness", () => {
  it.effect("an idle collector shows signs of life for ever", () =>
    Effect.gen(function* () {
      const { health } = yield* JobCollector
      for (let minute = 0; minute < 10; minute++) {
        yield* travel(60_000)
        assert.deepStrictEqual(yield* health.live, { live: true, silent: [] })
      }
      assert.deepStrictEqual(yield* health.ready, { ready: true, reasons: [] })
    }).pipe(Effect.provide(collectorOn(memoryLayer)))
  )

  it.effect("a loop that hangs is named two minutes later, while the others go on", () => {
    let hangs = false
    return Effect.gen(function* () {
      const { health } = yield* JobCollector
      yield* travel(60_000)
      hangs = true
      yield* travel(100_000)
      assert.isTrue((yield* health.live).live)
      yield* travel(60_000)
      const { live, silent } = yield* health.live
      assert.isFalse(live)
      assert.deepStrictEqual(silent.map(({ loop }) => loop).sort(), ["monitor", "retain"])
    }).pipe(Effect.provide(collectorOn(hanging("XINFO", () => hangs))))
  })
})
