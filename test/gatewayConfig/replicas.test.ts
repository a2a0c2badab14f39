/** Two replicas that keep the same folder in step. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { ConfigSync } from "../../src/programs/gatewayConfig/configSync.ts"
import { bundleOf } from "./support/bundles.ts"
import { World } from "./support/world.ts"

/** Two replicas that run version 2, which the quick one installed. */
const quickAndSlow = (world: World) =>
  Effect.gen(function* () {
    const quick = yield* world.start()
    const slow = yield* world.start()
    world.api.serve(bundleOf(2))
    yield* quick.tick
    yield* slow.tick
    return { quick, slow }
  })

/** Has a replica ask for what is served now; it hears of it when `hears` runs, which tells what its tick came to. */
const heldUp = (world: World, slow: ConfigSync) =>
  Effect.gen(function* () {
    const answered = yield* Deferred.make<void>()
    const { answer } = world.api
    world.api.answer = (etag) => Effect.tap(answer(etag), () => Deferred.await(answered))
    const late = yield* Effect.forkChild(slow.tick)
    yield* TestClock.adjust(0)
    world.api.answer = answer
    return { hears: Effect.andThen(Deferred.succeed(answered, undefined), Fiber.join(late)) }
  })

describe("of two replicas", () => {
  it.effect("one that hears of a version after the other installed a later one refuses nothing", () =>
    Effect.gen(function* () {
      const world = new World()
      const { quick, slow } = yield* quickAndSlow(world)
      world.api.serve(bundleOf(3))
      const { hears } = yield* heldUp(world, slow)
      world.api.serve(bundleOf(4))
      assert.strictEqual(yield* quick.tick, "changed")
      assert.strictEqual(yield* hears, "unchanged")
      assert.deepStrictEqual(world.versions(), [4, 4, 4])
      assert.deepStrictEqual(world.logged("config.refused"), [])
    })
  )

  it.effect("one still refuses a lower version where the other repaired what both found edited", () =>
    Effect.gen(function* () {
      const world = new World()
      const { quick, slow } = yield* quickAndSlow(world)
      world.api.serve(bundleOf(1))
      world.edit("limits.conf", (text) => text.replace("600", "100"), 1)
      const { hears } = yield* heldUp(world, slow)
      assert.strictEqual(yield* quick.tick, "refused")
      assert.strictEqual(world.logged("config.repaired").length, 1)
      assert.strictEqual(yield* hears, "refused")
    })
  )
})
