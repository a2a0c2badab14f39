/** Looks every `HEALTH_INTERVAL` whether all is well, and says at any time how things stand (contract section 8). */
import { Clock, Duration, Effect, Metric } from "effect"
import * as Hex from "effect/encoding/Hex"
import { instant } from "../../domain/events/instant.ts"
import {
  type ApiCheck,
  type Checks,
  type ConsumerGroupsCheck,
  type HealthReport,
  healthOf,
  type Liveness,
  type Readiness,
  type RedisCheck,
  type SigningKeyCheck,
  type TrafficCheck,
  troubles
} from "../../domain/options/health.ts"
import type { CollectorOptions } from "../../domain/options/options.ts"
import { fieldsThatPart, type PartitionKey, shownPartition } from "../../domain/traffic/isolation.ts"
import { ruleName } from "../../domain/traffic/rules.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { JobsApi } from "../../services/JobsApi.ts"
import * as Metrics from "../../services/Metrics.ts"
import type { Signer } from "../../services/Signer.ts"
import type { ApiRecord } from "../delivery/state/apiRecord.ts"
import type { CollectorRun, StreamState } from "../delivery/state/collectorRun.ts"
import type { ConsumedStream } from "../delivery/state/consumedStream.ts"
import type { DeliveryGate } from "../delivery/state/deliveryGate.ts"
import type { Happenings } from "../delivery/state/happenings.ts"
import type { TrafficRules } from "../delivery/state/trafficRules.ts"
import type { UnmadeRequests } from "../delivery/state/unmadeRequests.ts"
import type { ConfigChecks } from "../gatewayConfig/configStatus.ts"
import { type ChangeSignal, Waiter } from "../redis/changeSignal.ts"
import { monotonicMillis, monotonicMillisOf } from "../redis/monotonic.ts"
import type { RedisAvailability } from "../redis/redisAvailability.ts"
import { noteFailure } from "../redis/retryRedis.ts"
import type { Heartbeats } from "../supervision/heartbeats.ts"
import { nextBeat, repeatSteps, sleepToBeat, waiting } from "../supervision/loop.ts"
import { keyProblem } from "./keyCheck.ts"

export const loopName = "health"

/** What health is read from: nothing of it is health's own. */
export interface HealthSources {
  readonly options: CollectorOptions
  readonly streams: EventStreams["Service"]
  readonly api: JobsApi["Service"]
  readonly signer: Signer["Service"]
  readonly configuration: Effect.Effect<ConfigChecks>
  readonly consumedStreams: ReadonlyArray<ConsumedStream>
  readonly streamStates: ReadonlyMap<ConsumedStream, StreamState>
  readonly availability: RedisAvailability
  readonly gate: DeliveryGate
  readonly traffic: TrafficRules
  readonly unmade: UnmadeRequests
  readonly happenings: Happenings
  /** Notified when the key signs, or no longer does. */
  readonly readiness: ChangeSignal
  readonly apiRecord: ApiRecord
  readonly heartbeats: Heartbeats
  readonly run: () => CollectorRun | undefined
  readonly stopping: () => boolean
  /** By what the collector ended, where that was no stop. */
  readonly ended: () => string | undefined
}

/** How a collector is, asked at any time; nothing here waits for anybody. */
export interface Health {
  /** What `GET /health` answers: all checks, as they stood when they were last made. */
  readonly report: Effect.Effect<HealthReport>
  /** What `GET /health/ready` answers. */
  readonly ready: Effect.Effect<Readiness>
  /** What `GET /health/live` answers; nothing outside the process is asked. */
  readonly live: Effect.Effect<Liveness>
}

const iso = (millis: number | undefined): string | undefined => (millis === undefined ? undefined : instant(millis))

const poolAdvice = (looking: number, all: number): string =>
  `${looking} of ${all} streams have no connection of their own, since the pool of the Redis layer gives no more, and are looked at ten times a second: ` +
  `give it ${all} connections (maxConnections), and those that the app itself reserves`

const consumerGroups = (sources: HealthSources): ConsumerGroupsCheck => {
  const { consumedStreams, streamStates, availability, options } = sources
  const run = sources.run()
  const streams = consumedStreams.map((stream) => {
    const state = streamStates.get(stream)
    return {
      stream: stream.key,
      label: stream.label,
      ready: run !== undefined && state?.ready === true && state.groupAdopted,
      own_connection: state?.reader?.canWait(),
      problem: state?.problem,
      length: state?.figures?.length,
      lag: state?.figures?.lag,
      pending: state?.figures?.pending,
      oldest_pending_seconds: state?.figures?.oldestPendingSeconds,
      consumers: state?.figures?.consumers
    }
  })
  const missing = streams.filter(({ ready }) => !ready)
  const refusal = [...streamStates.values()].find(({ refusedSince }) => refusedSince !== undefined)?.problem
  const unseen = streams.filter(({ problem }) => problem !== undefined)
  const problem = !availability.up
    ? "Redis is away"
    : run === undefined
      ? "no consumer name is taken yet"
      : missing.length > 0
        ? `not read at present: ${missing.map(({ stream }) => stream).join(", ")}${refusal === undefined ? "" : `: ${refusal}`}`
        : unseen.length > 0
          ? `cannot be looked at: ${unseen.map(({ stream }) => stream).join(", ")}`
          : undefined
  const looking = streams.filter(({ own_connection }) => own_connection === false).length
  const down = !availability.up || missing.length > 0
  return {
    status: down ? "down" : problem === undefined ? "ok" : "degraded",
    problem,
    group: options.consumerGroup,
    consumer: run?.consumer.name,
    held: run?.owned.held,
    advice: looking === 0 ? undefined : poolAdvice(looking, streams.length),
    streams
  }
}

/** Partitions that are shown, of those whose circuits are open and of those that wait. */
const mostShown = 10

const apiCheck = (sources: HealthSources, clock: Clock.Clock): ApiCheck => {
  const { apiRecord, gate, options } = sources
  const now = monotonicMillisOf(clock)
  /** A time of the monotonic clock, as the wall clock has it at present. */
  const shown = (at: number | undefined) =>
    iso(at === undefined ? undefined : clock.currentTimeMillisUnsafe() + (at - now))
  const recent = apiRecord.recent(now)
  const { lastFailure, lastSuccessAt } = apiRecord
  const partitions = sources.run()?.partitions
  const named = (partition: PartitionKey) => shownPartition(fieldsThatPart(options.isolateBy), partition)
  const open = gate.circuits.openPartitions(mostShown).map(({ probeAt, ...partition }) => ({
    partition: named(partition),
    circuit: "open" as const,
    next_probe_at: shown(probeAt),
    waiting: partitions?.waitingOf(partition) ?? 0
  }))
  const capped = (partitions?.capped(mostShown - open.length, now) ?? []).map(
    ({ partition, waiting, waitingSince }) => ({
      partition: named(partition),
      waiting: waiting.length,
      waiting_since: shown(waitingSince)
    })
  )
  const problem = gate.circuitOpen
    ? "the circuit is open: deliveries wait until a probe succeeds"
    : open[0] !== undefined
      ? `the circuit of ${open[0].partition}${gate.circuits.open > 1 ? ` and of ${gate.circuits.open - 1} more` : ""} is open: its deliveries wait until a probe succeeds`
      : capped[0] !== undefined
        ? `${capped[0].partition} has its share of the permits, and more events that wait`
        : recent.failed > recent.succeeded
          ? `most requests fail: ${lastFailure?.code}: ${lastFailure?.message}`
          : undefined
  return {
    status: problem === undefined ? "ok" : "degraded",
    problem,
    url: options.apiBaseUrl,
    circuit: gate.circuitOpen ? "open" : "closed",
    next_probe_at: shown(gate.probeAt),
    partitions: open.length + capped.length === 0 ? undefined : [...open, ...capped],
    paused_until: gate.retryAfterEnds > now ? shown(gate.retryAfterEnds) : undefined,
    recent_succeeded: recent.succeeded,
    recent_failed: recent.failed,
    last_success_at: shown(lastSuccessAt),
    last_failure:
      lastFailure === undefined
        ? undefined
        : { code: lastFailure.code, message: lastFailure.message, at: shown(lastFailure.at) }
  }
}

/** Rules that are shown; where there are more, their number says so. */
const mostRulesShown = 10

const lastsText = (until: number | undefined) =>
  until === undefined ? "until it is lifted" : `until ${instant(until)}`

/** The rules in force: all of it is meant, and yet not how it usually is. A kind that is paused is not meant. */
const trafficCheck = ({ traffic, unmade }: HealthSources, now: number): TrafficCheck => {
  const active = traffic.active(now)
  const rules = active.slice(0, mostRulesShown).map(({ rule }) => ({
    rule: ruleName(rule),
    until: iso(rule.until),
    by: rule.by,
    why: rule.why
  }))
  const [first, ...others] = active
  const more = others.length === 0 ? "" : `, and ${others.length} more: see job-collector rules`
  const kinds = unmade.paused.map(({ kind, problem }) => ({ kind, problem }))
  const [kind] = kinds
  const problem =
    kind === undefined
      ? first === undefined
        ? undefined
        : `${ruleName(first.rule)} ${lastsText(first.rule.until)}${more}`
      : `kind ${kind.kind} is paused, because it makes no requests: ${kind.problem}`
  return {
    status: problem === undefined ? "ok" : "degraded",
    problem,
    in_force: active.length,
    rules,
    paused_kinds: kinds.length === 0 ? undefined : kinds
  }
}

/** Makes the answers, and the loop that probes. */
export const makeHealth = (
  sources: HealthSources
): { readonly health: Health; readonly loop: Effect.Effect<never> } => {
  const { api, apiRecord, gate, heartbeats, availability, options, signer, streams } = sources
  const everyMs = Duration.toMillis(options.healthInterval)
  let redis: RedisCheck = { status: "down", problem: "not reached yet" }
  let key: SigningKeyCheck = { status: "down", problem: "not checked yet" }
  let etag: string | undefined

  const probeRedis = Effect.gen(function* () {
    const asked = yield* Clock.monotonicTimeNanos
    const answer = yield* Effect.result(streams.ping)
    const roundTripMicros = Number(((yield* Clock.monotonicTimeNanos) - asked) / 1_000n)
    const checked_at = iso(yield* Clock.currentTimeMillis)
    if (answer._tag === "Success") {
      yield* Metric.update(Metrics.redisRoundTrip, roundTripMicros / 1e6)
      redis = { status: "ok", round_trip_ms: roundTripMicros / 1_000, checked_at }
      return
    }
    yield* Metrics.forget(Metrics.redisRoundTrip)
    yield* noteFailure(availability, loopName, answer.failure)
    redis = { status: "down", problem: answer.failure.message, checked_at }
  })

  const checkKey = Effect.gen(function* () {
    const problem = yield* keyProblem(signer)
    const public_key = Hex.encode(signer.publicKey)
    const checked_at = iso(yield* Clock.currentTimeMillis)
    const status = problem === undefined ? "ok" : "down"
    const changed = status !== key.status
    key = { status, problem, public_key, checked_at }
    if (changed) sources.readiness.notify()
  })

  /** Asks the API itself only where nobody else has for a while; an open circuit has probes of its own. */
  const probeApi = Effect.gen(function* () {
    if (!options.apiProbe || gate.circuitOpen || !apiRecord.isIdle(yield* monotonicMillis)) return
    const { config_sync } = yield* sources.configuration
    const asked = yield* Effect.result(api.configurations(etag))
    const now = yield* monotonicMillis
    if (asked._tag === "Success") {
      if (asked.success._tag === "Fetched") etag = asked.success.etag
      return apiRecord.succeeded(now)
    }
    const { errorCode, errorMessage } = asked.failure
    // An API without configurations is none the worse for it where nobody wants them.
    if (config_sync.status === "off" && errorCode === "HTTP_404") return apiRecord.succeeded(now)
    apiRecord.failed(errorCode, errorMessage, now)
  })

  const redisCheck = (now: number): RedisCheck => {
    if (!availability.up && redis.status !== "down") return { status: "down", problem: "commands are not answered" }
    const refused = availability.refusals(now).map(({ problem, what }) => `cannot ${what}: ${problem}`)
    return refused.length === 0 || redis.status === "down"
      ? redis
      : { ...redis, status: "degraded", problem: refused.join("; ") }
  }

  const checksNow: Effect.Effect<Checks> = Effect.gen(function* () {
    const { config_sync, gateway } = yield* sources.configuration
    const clock = yield* Clock.Clock
    return {
      redis: redisCheck(monotonicMillisOf(clock)),
      api: apiCheck(sources, clock),
      traffic: trafficCheck(sources, monotonicMillisOf(clock)),
      signing_key: key,
      consumer_groups: consumerGroups(sources),
      config_sync,
      gateway
    }
  })

  const report = Effect.map(checksNow, (checks) => healthOf(checks, sources.ended()))

  const ready: Effect.Effect<Readiness> = Effect.map(monotonicMillis, (now) => {
    const groups = consumerGroups(sources)
    const reasons = [
      ...[sources.ended() ?? []].flat(),
      ...(sources.stopping() ? ["stopping"] : []),
      ...(availability.up ? [] : [`Redis: ${redisCheck(now).problem}`]),
      ...(availability.up && groups.status === "down" ? [`consumer groups: ${groups.problem}`] : []),
      ...(key.status === "down" ? [`signing key: ${key.problem}`] : [])
    ]
    return { ready: reasons.length === 0, reasons }
  })

  const live = Effect.map(monotonicMillis, (now): Liveness => {
    const problem = sources.ended()
    if (problem !== undefined) return { live: false, silent: [], problem }
    return sources.stopping() ? { live: true, silent: [] } : heartbeats.liveness(now)
  })

  /** One line for each change; that all is still to come at the start is none. */
  const announce = Effect.fnUntraced(function* (was: HealthReport["status"] | "starting", since: number) {
    const now = yield* report
    if (now.status === was) return was
    const elapsed = (yield* monotonicMillis) - since
    if (was === "starting" && now.status === "down" && elapsed < everyMs) return was
    const { happenings } = sources
    if (happenings.isFollowed) {
      happenings.tell({
        _tag: "HealthChanged",
        at: yield* Clock.currentTimeMillis,
        status: now.status,
        was,
        troubles: troubles(now)
      })
    }
    const log = now.status === "ok" ? Effect.logInfo : now.status === "down" ? Effect.logError : Effect.logWarning
    yield* log("health.changed").pipe(
      Effect.annotateLogs({ status: now.status, was, ...(now.status === "ok" ? {} : { checks: troubles(now) }) })
    )
    return now.status
  })

  const watchOver = Effect.flatMap(monotonicMillis, (since) => {
    let status: HealthReport["status"] | "starting" = "starting"
    const look = Effect.gen(function* () {
      const waiter = new Waiter(availability.changed, gate.changed)
      yield* probeRedis
      yield* checkKey
      status = yield* announce(status, since)
      yield* waiting(waiter.wait(yield* nextBeat(everyMs)))
    })
    return repeatSteps(look)
  })

  const probe = Effect.gen(function* () {
    for (;;) {
      yield* probeApi
      yield* sleepToBeat(everyMs)
    }
  })

  const loop = Effect.all([watchOver, probe], { concurrency: "unbounded" }).pipe(Effect.andThen(Effect.never))

  return { health: { report, ready, live }, loop }
}
