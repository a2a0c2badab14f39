/** What Node.js knows of this process, as metrics: the service's; an app that embeds the collector measures itself. */

import { hostname } from "node:os"
import { monitorEventLoopDelay } from "node:perf_hooks"
import process from "node:process"
import { Effect, Layer } from "effect"
import { HostFigures } from "../../services/HostFigures.ts"
import * as Metrics from "../../services/Metrics.ts"

/**
 * Each turn of the loop is measured, which wakes nobody. A Node.js that does not know how has a timer for it, whose own wait
 * of so many milliseconds is then part of the figure.
 */
const sampling = { samplePerIteration: true, resolution: 20 }

/** Two windows of this length are looked at, so that whoever reads at least as often misses nothing. */
const windowMs = 15_000

const cpuSeconds = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}

const eventLoopLag = Effect.gen(function* () {
  const histogram = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const histogram = monitorEventLoopDelay(sampling)
      histogram.enable()
      return histogram
    }),
    (histogram) => Effect.sync(() => histogram.disable())
  )
  const worst = (): number => histogram.max / 1e9
  let before = 0
  yield* Effect.sleep(windowMs).pipe(
    Effect.andThen(
      Effect.sync(() => {
        before = worst()
        histogram.reset()
      })
    ),
    Effect.forever,
    Effect.forkScoped
  )
  yield* Metrics.observe(Metrics.eventLoopLag, () => Math.max(before, worst()))
})

/** The same for what a replica says of itself. */
export const figures: Layer.Layer<never> = Layer.sync(HostFigures, () => ({
  name: hostname(),
  cpuSeconds,
  memoryBytes: () => process.memoryUsage.rss()
}))

export const layer: Layer.Layer<never> = Layer.effectDiscard(
  Effect.all(
    [
      Metrics.observeCount(Metrics.processCpu, cpuSeconds),
      Metrics.observe(Metrics.processMemory, () => process.memoryUsage.rss()),
      eventLoopLag
    ],
    { discard: true }
  )
)
