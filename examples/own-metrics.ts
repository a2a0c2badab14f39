import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer, Metric, Redacted, Stream } from "effect"
import { type Happening, JobCollector, layerIoRedis, layerLeanHttpClient, layerNativeSigner } from "job-collector"

const credits = Metric.counter("shop_credits_deducted_total", {
  description: "Credits that the API has deducted, by the event's kind",
  incremental: true
})
const attempts = Metric.histogram("shop_delivery_attempts", {
  description: "Attempts that a delivered event took",
  boundaries: [1, 2, 3, 4]
})
const givenUp = Metric.counter("shop_events_given_up_total", {
  description: "Events that were given up, by what the API said last",
  incremental: true
})
const circuit = Metric.gauge("shop_api_circuit_open", { description: "1 while the API's circuit stops deliveries" })
const missed = Metric.counter("shop_happenings_missed_total", {
  description: "Happenings that these figures lack, because the app was too slow for them",
  incremental: true
})

/** What one happening means for the app's own figures; of most it keeps none. */
const count = (happening: Happening): Effect.Effect<void> => {
  switch (happening._tag) {
    case "Delivered": {
      const { attempts: taken, creditsDeducted = 0, kind = "unknown" } = happening
      return Effect.andThen(
        Metric.update(Metric.withAttributes(credits, { kind }), creditsDeducted),
        Metric.update(attempts, taken)
      )
    }
    case "Abandoned":
      return Metric.update(Metric.withAttributes(givenUp, { error_code: happening.errorCode }), 1)
    case "CircuitOpened":
    case "CircuitClosed":
      // Those of single users or models have a partition, and are not the API's.
      if (happening.partition !== undefined) return Effect.void
      return Metric.update(circuit, happening._tag === "CircuitOpened" ? 1 : 0)
    case "Missed":
      return Metric.update(missed, happening.count)
    default:
      return Effect.void
  }
}

/** Follows the collector for as long as it runs. It never slows a delivery: what the app is too slow for is counted instead. */
export const ownMetrics = Layer.effectDiscard(
  // At once, so that it follows before anything is delivered.
  Effect.forkScoped(Stream.runForEach(JobCollector.events, count), { startImmediately: true })
)

export const main = (settings: { redisUrl: string; apiBaseUrl: string; privateKey: string }) =>
  JobCollector.join.pipe(
    Effect.provide(ownMetrics),
    Effect.provide(JobCollector.layer({ apiBaseUrl: settings.apiBaseUrl })),
    Effect.provide([
      layerIoRedis({ url: Redacted.make(settings.redisUrl) }),
      layerLeanHttpClient(),
      layerNativeSigner(Redacted.make(settings.privateKey))
    ]),
    NodeRuntime.runMain
  )
