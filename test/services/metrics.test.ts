import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { retryDelays } from "../../src/domain/delivery/retry.ts"
import * as Metrics from "../../src/services/Metrics.ts"

describe("the retries that are counted", () => {
  it.effect("are those of the schedule, each at 0 from the start", () =>
    Effect.gen(function* () {
      yield* Metrics.initialize([], [], ["api", "model", "user_id"])
      const retries = (yield* Metric.snapshot).filter(({ id }) => id === "job_collector_retries_scheduled_total")
      assert.deepStrictEqual(
        retries.map(({ attributes }) => attributes?.attempt).toSorted(),
        retryDelays.map((_, at) => String(at + 1))
      )
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})
