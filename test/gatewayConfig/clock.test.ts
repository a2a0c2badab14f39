import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { ConfigStore } from "../../src/services/ConfigStore.ts"
import { SetClock } from "../support/set-clock.ts"
import { bundleOf } from "./support/bundles.ts"
import { directory } from "./support/machine.ts"
import { World } from "./support/world.ts"

const HOUR = 3_600_000

describe("a clock that is set", () => {
  for (const hours of [-2, 3]) {
    it.effect(`by ${hours} h neither takes a live holder's lock nor waits longer for a silent one`, () =>
      Effect.gen(function* () {
        const world = new World()
        const clock = new SetClock()
        const path = `${directory}/.lock`
        world.disk.makeFolder(directory, 0o755, true, 0)
        world.disk.createFile(path, 0o600, true, 0)
        const done = yield* Effect.forkChild(
          clock.under(world.inAnother(Effect.flatMap(ConfigStore, (store) => store.locked(Effect.void))))
        )
        yield* TestClock.adjust("10 seconds")
        clock.offset = hours * HOUR
        yield* TestClock.adjust("15 seconds")
        assert.isUndefined(done.pollUnsafe(), "25 s without a sign of life")
        yield* TestClock.adjust("6 seconds")
        assert.strictEqual(done.pollUnsafe()?._tag, "Success", "31 s")
      })
    )

    it.effect(`by ${hours} h leaves the gateway its 30 s to take a version up`, () =>
      Effect.gen(function* () {
        const world = new World({ reportsVersion: true })
        const clock = new SetClock()
        world.api.serve(bundleOf(1))
        const sync = yield* world.start()
        yield* sync.tick
        world.api.serve(bundleOf(2))
        world.gateway.indigestible.add(2)
        const tick = yield* Effect.forkChild(clock.under(sync.tick))
        yield* TestClock.adjust("10 seconds")
        clock.offset = hours * HOUR
        yield* TestClock.adjust("15 seconds")
        assert.isUndefined(tick.pollUnsafe())
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* Fiber.join(tick), "failed")
        assert.deepStrictEqual(world.versions(), [1, 1, 1])
        const { state } = yield* world.inAnother(Effect.flatMap(ConfigStore, (store) => store.read))
        assert.deepStrictEqual(
          state.left?.map(({ cause, version }) => [cause, version]),
          [["gateway", 2]]
        )
      })
    )
  }
})
