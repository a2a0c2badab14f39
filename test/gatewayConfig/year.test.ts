import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, References } from "effect"
import { TestClock } from "effect/testing"
import { fileNames } from "../../src/domain/gatewayConfig/files.ts"
import { patientClock } from "../support/patient-clock.ts"
import { bundleOf } from "./support/bundles.ts"
import { World } from "./support/world.ts"

const DAY = 24 * 60

describe("a year of ticks", () => {
  it.live(
    "every 60 s, a change a week, an outage a month: every tick comes, every version is installed",
    () =>
      Effect.gen(function* () {
        const world = new World({ quiet: true })
        const sync = yield* world.start()
        const fiber = yield* Effect.forkChild(sync.run)
        let version = 0
        for (let day = 0; day < 365; day++) {
          if (day % 30 === 15) world.api.fail("HTTP_503")
          else if (day % 7 === 0) world.api.serve(bundleOf(++version))
          else world.api.serve(bundleOf(version))
          // Ends two seconds after a whole minute, when that minute's tick has come.
          yield* TestClock.adjust((day === 0 ? DAY - 1 : DAY) * 60_000 + (day === 0 ? 2_000 : 0))
          if (day % 30 !== 15)
            assert.deepStrictEqual(
              world.versions(),
              fileNames.map(() => version)
            )
        }
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(world.api.count, 365 * DAY)
        assert.strictEqual(world.gateway.reloads, version)
        assert.strictEqual(world.disk.folderAt("/config/generations").entries.size, 3)
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None"), Effect.provide(patientClock)),
    300_000
  )
})
