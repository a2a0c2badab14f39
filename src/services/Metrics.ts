/**
 * The handles of every metric (contract section 8). Their descriptions say what they mean; search for a handle's name to find
 * who writes it. They live in the ambient `Metric.MetricRegistry`.
 */
import { Effect, Metric, type Scope } from "effect"
import { retryDelays } from "../domain/delivery/retry.ts"
import { type RuleKind, ruleKinds } from "../domain/traffic/rules.ts"
import type { MetricName } from "./metricNames.ts"

const prefix = "job_collector_"

type Name<Full extends string = MetricName> = Full extends `${typeof prefix}${infer Rest}` ? Rest : never

type Attributes = Readonly<Record<string, string>>

const counter = (name: Name, description: string, attributes: Attributes = {}) =>
  Metric.counter(`${prefix}${name}`, { description, incremental: true, attributes })
const gauge = (name: Name, description: string, attributes: Attributes = {}) =>
  Metric.gauge(`${prefix}${name}`, { description, attributes })

/**
 * A family of metrics over one label, with one handle for each value, made once. Each handle has its label from the start:
 * `Metric.withAttributes` would merge it into the context at every update.
 */
const family = <const Label extends string, M>(
  make: (name: Name, description: string, attributes: Attributes) => M,
  name: Name,
  description: string,
  label: string
): ((value: Label) => M) => {
  const handles = new Map<Label, M>()
  return (value) => {
    const known = handles.get(value)
    if (known !== undefined) return known
    const made = make(name, description, { [label]: value })
    handles.set(value, made)
    return made
  }
}

const counters = <const Label extends string>(name: Name, description: string, label: string) =>
  family<Label, Metric.Counter<number>>(counter, name, description, label)
const gauges = <const Label extends string>(name: Name, description: string, label: string) =>
  family<Label, Metric.Gauge<number>>(gauge, name, description, label)

/** Where an entry was read: `transcribe`, `process`, `dlq` or the name of a host app's own event kind. */
export type StreamLabel = string
export type DeliveryOutcome = "delivered" | "retried" | "abandoned"
export type AbandonReason = "exhausted" | "rejected" | "invalid" | "poison"
export const refusalReasons = ["wrong_type", "out_of_memory", "no_permission", "other"] as const
export type RefusalReason = (typeof refusalReasons)[number]
/** What a circuit is of: `api`, or the field of a partition. */
export type CircuitScope = string
export const setAsideReasons = ["capped", "circuit", "parked"] as const
export type SetAsideReason = (typeof setAsideReasons)[number]
export type LossCause = "trimmed" | "deleted"
export type SyncOutcome = "changed" | "unchanged" | "failed" | "refused"
export type AlertOutcome = "sent" | "failed"
export type ReloadOutcome = "signalled" | "applied" | "failed"

export const eventsReceived = counters<StreamLabel>(
  "events_received_total",
  "Entries read for the first time",
  "stream"
)

const deliveriesBy = new Map<string, Metric.Counter<number>>()
export const deliveries = (stream: StreamLabel, outcome: DeliveryOutcome): Metric.Counter<number> => {
  const key = `${stream} ${outcome}`
  const known = deliveriesBy.get(key)
  if (known !== undefined) return known
  const made = counter("deliveries_total", "Attempts that ended, by what became of the event", { stream, outcome })
  deliveriesBy.set(key, made)
  return made
}

export const deliveryDuration = Metric.histogram(`${prefix}delivery_duration_seconds`, {
  description: "One request to the jobs API, in seconds",
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
})
export const eventAge = Metric.histogram(`${prefix}event_age_seconds`, {
  description: "From the time in the original entry's id to the API's success, in seconds",
  boundaries: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 900, 3_600, 21_600, 86_400]
})
const retriesScheduledAfter = counters<string>(
  "retries_scheduled_total",
  "Events moved to the DLQ, by the attempts made so far",
  "attempt"
)
/** The schedules of a host app's own kinds may be long: from the tenth attempt on they share a label. */
export const retriesScheduled = (attempts: number): Metric.Counter<number> =>
  retriesScheduledAfter(attempts < 10 ? String(attempts) : "10+")
export const abandoned = counters<AbandonReason>("abandoned_total", "Events moved to the abandoned stream", "reason")
export const movesRefused = counters<RefusalReason>(
  "moves_refused_total",
  "Moves, and other steps of the work on an entry, that Redis refused",
  "reason"
)
export const inFlight = gauge("in_flight", "Requests under way")
export const held = gauge("held", "Entries held until they are due")
export const circuitOpen = gauge("circuit_open", "1 while the circuit to the jobs API is open, else 0")
export const circuitOpenings = counters<CircuitScope>(
  "circuit_openings_total",
  "How often a circuit opened, by what it is of",
  "scope"
)
export const rules = gauges<RuleKind>("rules", "Traffic rules in force, by kind", "kind")
export const setAside = counters<SetAsideReason>(
  "set_aside_total",
  "Events moved to the DLQ because their partition may not run now, by what holds it up",
  "reason"
)
export const deliveryConcurrency = gauge(
  "delivery_concurrency",
  "Requests that may be under way (DELIVERY_CONCURRENCY)"
)
export const abandonedLength = gauge("abandoned_length", "Events that lie in the abandoned streams")
export const abandonedOldest = gauge(
  "abandoned_oldest_seconds",
  "Since when the first of them lies there, in seconds; 0 where there is none"
)
export const creditsDeducted = counter("credits_deducted_total", "Credits the API says it deducted")
export const creditMismatches = counter(
  "credit_mismatches_total",
  "Successes whose deducted credits differ from the expected"
)
export const ownershipLost = counter("ownership_lost_total", "Entries dropped because another consumer took them over")
export const lostByRedis = counters<LossCause>(
  "lost_by_redis_total",
  "Entries Redis no longer has although nobody ended them",
  "cause"
)
export const streamLength = gauges<StreamLabel>("stream_length", "Entries in the stream (XLEN)", "stream")
export const streamGroupLag = gauges<StreamLabel>(
  "stream_group_lag",
  "Entries the group has not read yet (XINFO GROUPS lag); absent while Redis cannot tell",
  "stream"
)
export const streamGroupPending = gauges<StreamLabel>(
  "stream_group_pending",
  "Entries read and not acknowledged yet, of all consumers",
  "stream"
)
export const oldestPending = gauges<StreamLabel>(
  "oldest_pending_seconds",
  "Since when the longest pending entry is read and not ended, in seconds: of this process's own, and of those that nobody keeps alive; 0 where there is none",
  "stream"
)
export const entriesClaimed = counters<StreamLabel>("entries_claimed_total", "Idle entries taken over", "stream")
export const redisUp = gauge("redis_up", "1 while Redis answers, else 0")
export const redisRoundTrip = gauge(
  "redis_round_trip_seconds",
  "How long Redis took to answer the last PING, in seconds; absent while it does not answer"
)
export const redisMemoryUsed = gauge(
  "redis_memory_used_ratio",
  "Share of maxmemory that Redis uses (of one node in a Cluster); absent where it has no limit or does not tell"
)
export const configSyncs = counters<SyncOutcome>(
  "config_syncs_total",
  "Configuration sync ticks, by outcome",
  "outcome"
)
export const configChanges = counter("config_changes_total", "Configurations installed that differ from the one before")
export const configVersion = gauge(
  "config_version",
  "Version of the configuration that is installed; 0 before the first"
)
export const configLastSuccess = gauge(
  "config_last_success_timestamp_seconds",
  "When configuration sync last succeeded, in Unix seconds; 0 before the first"
)
export const gatewayReloads = counters<ReloadOutcome>("gateway_reloads_total", "Gateway reloads, by outcome", "outcome")
export const alerts = counters<AlertOutcome>("alerts_total", "Alerts for the webhook, by outcome", "outcome")
export const fiberRestarts = counters<string>(
  "fiber_restarts_total",
  "Supervised loops restarted after a failure",
  "fiber"
)

/** Always 1: its labels say which build runs, under which consumer name and with which key. */
export const buildInfo = ({
  consumer,
  key_id,
  version
}: {
  readonly version: string
  readonly consumer: string
  readonly key_id: string
}): Metric.Gauge<number> =>
  gauge("build_info", "Always 1: the version that runs, its consumer name and its key's id", {
    version,
    consumer,
    key_id
  })

/** Of the process as a whole, and so without this package's prefix. */
export const processCpu = Metric.counter("process_cpu_seconds_total", {
  description: "User and system CPU time of the process, in seconds",
  incremental: true
})
export const processMemory = Metric.gauge("process_resident_memory_bytes", {
  description: "Resident memory of the process, in bytes"
})
export const eventLoopLag = Metric.gauge("nodejs_eventloop_lag_seconds", {
  description: "The longest turn of the event loop in the last 15 to 30 seconds"
})

/** Removes a series whose value is not known at present. */
export const forget = (metric: Metric.Metric<number, unknown>): Effect.Effect<void> => Metric.remove(metric)

const observeState = <State>(
  metric: Metric.Metric<number, State>,
  get: () => State
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(Effect.context<never>(), (context) =>
    Effect.acquireRelease(
      Effect.sync(() => Metric.registerUnsafe(metric, context, { get, update() {}, modify() {} })),
      (registration) => Effect.sync(() => registration.remove())
    )
  ).pipe(Effect.asVoid)

/** A gauge read from its source whenever metrics are read, for as long as the scope lasts. */
export const observe = (metric: Metric.Gauge<number>, read: () => number): Effect.Effect<void, never, Scope.Scope> =>
  observeState(metric, () => ({ value: read() }))

/** The same of a counter that another counts. */
export const observeCount = (
  metric: Metric.Counter<number>,
  read: () => number
): Effect.Effect<void, never, Scope.Scope> => observeState(metric, () => ({ count: read(), incremental: true }))

/** Registers every label combination at 0, so that a first increment is seen as one. */
export const initialize = (
  streams: ReadonlyArray<StreamLabel>,
  fibers: ReadonlyArray<string>,
  scopes: ReadonlyArray<CircuitScope>
): Effect.Effect<void> => {
  const outcomes: ReadonlyArray<DeliveryOutcome> = ["delivered", "retried", "abandoned"]
  const reasons: ReadonlyArray<AbandonReason> = ["exhausted", "rejected", "invalid", "poison"]
  const counters: ReadonlyArray<Metric.Metric<number, unknown>> = [
    ...streams.flatMap((stream) => [
      eventsReceived(stream),
      entriesClaimed(stream),
      ...outcomes.map((outcome) => deliveries(stream, outcome))
    ]),
    ...retryDelays.map((_, i) => retriesScheduled(i + 1)),
    ...reasons.map(abandoned),
    ...refusalReasons.map(movesRefused),
    ...(["trimmed", "deleted"] as const).map(lostByRedis),
    ...(["changed", "unchanged", "failed", "refused"] as const).map(configSyncs),
    ...(["signalled", "applied", "failed"] as const).map(gatewayReloads),
    ...(["sent", "failed"] as const).map(alerts),
    ...fibers.map(fiberRestarts),
    ...scopes.map(circuitOpenings),
    ...setAsideReasons.map(setAside),
    creditsDeducted,
    creditMismatches,
    ownershipLost,
    configChanges
  ]
  const gauges: ReadonlyArray<Metric.Metric<number, unknown>> = [
    ...streams.flatMap((stream) => [streamLength(stream), streamGroupPending(stream), oldestPending(stream)]),
    ...ruleKinds.map(rules),
    inFlight,
    held,
    circuitOpen,
    deliveryConcurrency,
    abandonedLength,
    abandonedOldest,
    redisUp,
    configVersion,
    configLastSuccess
  ]
  const histograms = [deliveryDuration, eventAge]
  return Effect.andThen(
    Effect.forEach([...counters, ...gauges], (metric) => Metric.modify(metric, 0), { discard: true }),
    // Reading a histogram registers it, without a measurement.
    Effect.forEach(histograms, (histogram) => Metric.value(histogram), { discard: true })
  )
}
