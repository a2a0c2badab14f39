import { Effect, Metric } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { expect, it } from "vitest"
import * as ProcessMetrics from "../../src/layers/node/ProcessMetrics.ts"
import { waitUntil } from "../support/redis-server.ts"

/** Keeps the event loop from anything else. */
const block = (ms: number): void => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

it("the process shows its CPU time, its memory and how long its event loop was blocked", () =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const read = (name: string) =>
      Number(
        new RegExp(`^${name} (\\S+)$`, "m").exec(
          Effect.runSync(Effect.provide(PrometheusMetrics.format(), context))
        )?.[1]
      )
    expect(read("process_resident_memory_bytes")).toBeGreaterThan(10_000_000)
    const before = read("process_cpu_seconds_total")
    // Where a timer measures, it must have run once before there is anything to measure from.
    yield* Effect.sleep("100 millis")
    block(400)
    yield* Effect.promise(() => waitUntil("it is seen", () => read("nodejs_eventloop_lag_seconds") > 0.3))
    expect(read("process_cpu_seconds_total")).toBeGreaterThan(before)
  }).pipe(
    Effect.provide(ProcessMetrics.layer),
    Effect.provideService(Metric.MetricRegistry, new Map()),
    Effect.runPromise
  ))
