import { Context, Effect, Metric } from "effect"
import { PrometheusMetrics } from "effect/observability"
import * as Metrics from "../../src/services/Metrics.ts"

const streams = ["transcribe", "process", "dlq"]

/** One more second of a busy collector's life, in every metric there is. */
const tick = Effect.gen(function* () {
  for (const stream of streams) {
    yield* Metric.update(Metrics.eventsReceived(stream), 5)
    yield* Metric.update(Metrics.deliveries(stream, "delivered"), 4)
    yield* Metric.update(Metrics.deliveries(stream, "retried"), 1)
    yield* Metric.update(Metrics.deliveries(stream, "abandoned"), 1)
    yield* Metric.update(Metrics.entriesClaimed(stream), 1)
    yield* Metric.update(Metrics.streamLength(stream), 40)
    yield* Metric.update(Metrics.streamGroupLag(stream), 12)
    yield* Metric.update(Metrics.streamGroupPending(stream), 8)
    yield* Metric.update(Metrics.oldestPending(stream), 3)
  }
  for (const attempt of [1, 2, 3]) yield* Metric.update(Metrics.retriesScheduled(attempt), 1)
  for (const reason of ["exhausted", "rejected", "invalid", "poison"] as const) {
    yield* Metric.update(Metrics.abandoned(reason), 1)
    yield* Metric.update(Metrics.movesRefused("wrong_type"), 1)
  }
  for (const cause of ["trimmed", "deleted"] as const) yield* Metric.update(Metrics.lostByRedis(cause), 1)
  for (const outcome of ["changed", "unchanged", "failed", "refused"] as const) {
    yield* Metric.update(Metrics.configSyncs(outcome), 1)
  }
  for (const outcome of ["signalled", "applied", "failed"] as const) {
    yield* Metric.update(Metrics.gatewayReloads(outcome), 1)
  }
  for (const seconds of [0.004, 0.03, 0.2]) yield* Metric.update(Metrics.deliveryDuration, seconds)
  for (const seconds of [0.2, 4, 70]) yield* Metric.update(Metrics.eventAge, seconds)
  for (const scope of ["api", "model", "user_id"]) yield* Metric.update(Metrics.circuitOpenings(scope), 1)
  for (const reason of Metrics.setAsideReasons) yield* Metric.update(Metrics.setAside(reason), 1)
  yield* Metric.update(Metrics.alerts("sent"), 1)
  yield* Metric.update(Metrics.alerts("failed"), 1)
  yield* Metric.update(Metrics.fiberRestarts("config-sync"), 1)
  yield* Metric.update(Metrics.creditsDeducted, 200)
  yield* Metric.update(Metrics.creditMismatches, 1)
  yield* Metric.update(Metrics.ownershipLost, 1)
  for (const kind of ["pause", "limit", "park"] as const) yield* Metric.update(Metrics.rules(kind), 1)
  yield* Metric.update(Metrics.inFlight, 7)
  yield* Metric.update(Metrics.held, 2)
  yield* Metric.update(Metrics.circuitOpen, 0)
  yield* Metric.update(Metrics.deliveryConcurrency, 64)
  yield* Metric.update(Metrics.abandonedLength, 30)
  yield* Metric.update(Metrics.abandonedOldest, 5_400)
  yield* Metric.update(Metrics.redisUp, 1)
  yield* Metric.update(Metrics.redisRoundTrip, 0.0004)
  yield* Metric.update(Metrics.redisMemoryUsed, 0.37)
  yield* Metric.update(Metrics.configChanges, 1)
  yield* Metric.update(Metrics.buildInfo({ version: "1.2.3", consumer: "collector-0", key_id: "21fe31dfa154a261" }), 1)
  yield* Metric.update(Metrics.processCpu, 0.3)
  yield* Metric.update(Metrics.processMemory, 120_000_000)
  yield* Metric.update(Metrics.eventLoopLag, 0.002)
  yield* Metric.update(Metrics.configVersion, 42)
  yield* Metric.update(Metrics.configLastSuccess, 1_700_000_000)
})

/** Prometheus text as the service serves it; every call counts on. */
export const makeSampleMetrics = (): (() => string) => {
  const registry = Context.make(Metric.MetricRegistry, new Map())
  return () => Effect.runSync(Effect.provide(Effect.andThen(tick, PrometheusMetrics.format()), registry))
}

/** The label names of each metric family in Prometheus text. */
export const labelsByMetric = (text: string): ReadonlyMap<string, ReadonlySet<string>> => {
  const families = new Map<string, Set<string>>()
  for (const line of text.split("\n")) {
    const match = /^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$/.exec(line)
    if (match === null || line.startsWith("#")) continue
    const labels = families.get(match[1]!) ?? new Set<string>()
    for (const [, name] of (match[2] ?? "").matchAll(/(\w+)="/g)) labels.add(name!)
    families.set(match[1]!, labels)
  }
  return families
}
