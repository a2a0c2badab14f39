import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Collector, JobCollector } from "../../src/index.ts"
import { ScriptedApi, withCollector } from "../support/time-machine.ts"

describe("the collector as a host app sees it", () => {
  it.effect("shows its health and its end, and nothing of its inside", () =>
    withCollector(new ScriptedApi(), {}, () =>
      Effect.gen(function* () {
        const shown: Record<keyof Collector, true> = {
          health: true,
          stopping: true,
          stop: true,
          unfinished: true,
          join: true,
          ready: true,
          events: true,
          redrive: true,
          pause: true,
          resume: true,
          limit: true,
          park: true,
          unpark: true,
          rules: true
        }
        const collector = yield* JobCollector
        assert.hasAllKeys(collector, Object.keys(shown))
        assert.hasAllKeys(collector.health, ["report", "ready", "live"])
      })
    )
  )
})
