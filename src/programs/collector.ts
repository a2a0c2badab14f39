/** The collector: takes a consumer name, runs all loops under it, and begins anew when the name is lost. */
import { Cause, Deferred, Duration, Effect, Exit, Fiber, FiberSet, Option, type Scope, type Stream } from "effect"
import type { Happening } from "../domain/delivery/happening.ts"
import type { HealthReport } from "../domain/options/health.ts"
import { knownStreams } from "../domain/options/knownStreams.ts"
import type { CollectorOptions } from "../domain/options/options.ts"
import { AlertWebhook } from "../services/AlertWebhook.ts"
import { ConfigAudit } from "../services/ConfigAudit.ts"
import { EventStreams } from "../services/EventStreams.ts"
import type { EventStreamsError } from "../services/EventStreamsError.ts"
import { JobsApi } from "../services/JobsApi.ts"
import * as Metrics from "../services/Metrics.ts"
import { permissionName } from "../services/permissions.ts"
import { Signer } from "../services/Signer.ts"
import * as Alerts from "./alerts/alerts.ts"
import { CollectorDied, type CollectorError, CollectorStopped, RedisRefused, refused } from "./collectorError.ts"
import * as ClaimIdle from "./delivery/claimIdle.ts"
import * as Consume from "./delivery/consume.ts"
import * as DueDispatcher from "./delivery/dueDispatcher.ts"
import { ensureGroup } from "./delivery/groups.ts"
import * as Housekeeping from "./delivery/housekeeping.ts"
import * as KeepAlive from "./delivery/keepAlive.ts"
import * as Lease from "./delivery/lease.ts"
import * as LimitKind from "./delivery/limitKind.ts"
import * as LimitRate from "./delivery/limitRate.ts"
import * as Monitor from "./delivery/monitor.ts"
import * as Presence from "./delivery/presence.ts"
import * as RampUp from "./delivery/rampUp.ts"
import { checkRedisAtStart, missingPermissions } from "./delivery/redisStartupChecks.ts"
import { ApiRecord } from "./delivery/state/apiRecord.ts"
import type { CollectorRun } from "./delivery/state/collectorRun.ts"
import { type ConsumedStream, consumedStreamsOf } from "./delivery/state/consumedStream.ts"
import { DeliveryGate } from "./delivery/state/deliveryGate.ts"
import { Happenings } from "./delivery/state/happenings.ts"
import { Ramp } from "./delivery/state/ramp.ts"
import { TrafficRules } from "./delivery/state/trafficRules.ts"
import { UnmadeRequests } from "./delivery/state/unmadeRequests.ts"
import { saysIdleStop, stopRun } from "./delivery/stop.ts"
import { claimStreams, foreignGroup, type StreamTaken } from "./delivery/streamOwner.ts"
import { tracedIfThereIsATracer } from "./delivery/tracing.ts"
import { configChecks, configOff } from "./gatewayConfig/configStatus.ts"
import * as ConfigSync from "./gatewayConfig/configSync.ts"
import * as Health from "./health/health.ts"
import { CollectorInspection } from "./inspection.ts"
import { freshStreamStates, type Lasting, openRun } from "./openRun.ts"
import { makeRedrive, type Redrive } from "./operator/redriveControl.ts"
import { auditOfService } from "./redis/audit.ts"
import { ChangeSignal, Waiter } from "./redis/changeSignal.ts"
import { monotonicMillis } from "./redis/monotonic.ts"
import { RedisAvailability } from "./redis/redisAvailability.ts"
import { noteFailure, retryUntilDoneOrRefused } from "./redis/retryRedis.ts"
import { Heartbeats } from "./supervision/heartbeats.ts"
import { step } from "./supervision/loop.ts"
import { makeSupervisor, problemOf } from "./supervision/supervise.ts"
import * as FollowRules from "./traffic/followRules.ts"
import { makeTrafficControl, type TrafficControl } from "./traffic/trafficControl.ts"

/** A running collector. */
export interface Collector extends TrafficControl {
  /** How it is, as contract section 8 has it: for endpoints, and for a host app that wants to know. */
  readonly health: Health.Health
  /** True from the moment a stop begins. */
  readonly stopping: () => boolean
  /** A clean stop, done when it returns; the scope's end is one too. */
  readonly stop: Effect.Effect<void>
  /** The loops that run: after a stop began, those that hold it up. */
  readonly unfinished: () => ReadonlyArray<string>
  /** Waits for the end: succeeds after a stop, fails when the collector cannot go on. */
  readonly join: Effect.Effect<void, CollectorError>
  /**
   * Waits until Redis answers, every stream is being read and the key signs, as `health.ready` says. Fails as `join` does where it
   * ends before that, and with `CollectorStopped` where it is stopped before that.
   */
  readonly ready: Effect.Effect<void, CollectorError | CollectorStopped>
  /**
   * What happens to events, circuits, traffic rules and the configuration, from when the stream is run on until the collector
   * has ended. It slows no delivery: of what is not taken in time the latest 1,024 are kept, and a `Missed` says how many are
   * not. Each run is told by itself; while none runs, nothing is made for it.
   */
  readonly events: Stream.Stream<Happening>
  /** The events that failed: looked at, put back or deleted, as the commands `abandoned` and `dlq` do it. */
  readonly redrive: Redrive
}

type Services = EventStreams | JobsApi | Signer

/** Ends the start where the user lacks a permission, or another service works on streams that must be this one's alone. */
const demandStreams = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  availability: RedisAvailability,
  options: CollectorOptions
): Effect.fn.Return<void, RedisRefused | StreamTaken> {
  const ask = <A>(effect: Effect.Effect<A, EventStreamsError>) =>
    Effect.mapError(retryUntilDoneOrRefused(availability, "check-streams", effect), refused)
  const missing = yield* ask(missingPermissions(streams, options))
  if (missing.length > 0) {
    return yield* new RedisRefused({ problem: `it may not run ${missing.map(permissionName).join(", ")}` })
  }
  const taken = (yield* ask(foreignGroup(streams, options))) ?? (yield* ask(claimStreams(streams, options)))
  if (taken !== undefined) return yield* taken
})

/** Waits until Redis answers; only refused credentials are a reason to give up. */
const awaitRedis = (
  streams: EventStreams["Service"],
  availability: RedisAvailability
): Effect.Effect<void, RedisRefused> =>
  retryUntilDoneOrRefused(availability, "connect", streams.ping).pipe(
    Effect.mapError(refused),
    Effect.andThen(availability.succeeded)
  )

/**
 * Creates the groups that do not exist before anything is read. What goes wrong here is the readers' to wait out, but
 * for missing permissions, which waiting does not mend.
 */
const createGroups = (run: CollectorRun): Effect.Effect<void, RedisRefused> =>
  Effect.forEach(
    run.consumedStreams,
    (stream) =>
      Effect.catch(ensureGroup(run, stream), (error) =>
        error.reason._tag === "Refused"
          ? Effect.fail(refused(error))
          : noteFailure(run.availability, "create-groups", error)
      ),
    { discard: true }
  )

/** Runs all loops under one consumer name until it is lost. */
const runUntilNameLost = Effect.fnUntraced(function* (
  lasting: Lasting,
  health: Effect.Effect<HealthReport>,
  configVersion: Effect.Effect<number>,
  publish: (run: CollectorRun | undefined) => void
) {
  const { supervisor } = lasting
  const { run, workers } = yield* openRun(lasting)
  const lost = yield* Deferred.make<Lease.LeaseLost>()
  publish(run)
  yield* Monitor.observeRun(run)
  const signer = yield* Signer
  const { lookAtKey } = yield* Monitor.observeBuild(run, lasting.version, signer)
  const presence = yield* Presence.makePresence({ run, version: lasting.version, signer, health, configVersion })
  // These two outlive the others, so that what is still in flight at a stop stays this process's own.
  yield* Effect.forkScoped(
    supervisor.watch(Lease.loopName, Lease.keepLease(run)).pipe(Effect.catch((error) => Deferred.succeed(lost, error)))
  )
  yield* Effect.forkScoped(supervisor.watch(KeepAlive.loopName, KeepAlive.keepAlive(run)))
  yield* Effect.addFinalizer(() =>
    Effect.flatMap(Deferred.isDone(lost), (nameIsLost) =>
      nameIsLost ? FiberSet.clear(workers) : Effect.andThen(stopRun(run, workers), presence.leave)
    ).pipe(Effect.ensuring(Effect.sync(() => publish(undefined))))
  )
  const rules = FollowRules.makeFollower({
    streams: run.streams,
    availability: run.availability,
    stream: Lease.leaseStream(run.consumedStreams),
    group: run.consumer.group,
    traffic: run.traffic,
    gate: run.gate,
    happenings: run.happenings
  })
  yield* rules.first
  yield* createGroups(run)
  const now = yield* monotonicMillis
  run.gate.begin(now)
  LimitRate.needTokens(run, now)
  yield* Effect.logInfo("collecting").pipe(
    Effect.annotateLogs({ consumer: run.consumer.name, group: run.consumer.group })
  )
  const loops = [
    ...run.consumedStreams.map((stream) =>
      Effect.mapError(supervisor.watch(Consume.loopName(stream), Consume.consume(run, stream)), refused)
    ),
    supervisor.watch(DueDispatcher.loopName, DueDispatcher.dispatchDue(run)),
    supervisor.watch(RampUp.loopName, RampUp.rampUp(run)),
    supervisor.watch(LimitRate.loopName, LimitRate.limitRate(run)),
    ...[...run.kindLimits.values()].flatMap((limit) => [
      supervisor.watch(LimitKind.loopName(limit.kind), LimitKind.limitKind(run, limit)),
      ...(limit.rate === undefined
        ? []
        : [supervisor.watch(LimitRate.kindLoopName(limit.kind), LimitRate.limitKindRate(run, limit))])
    ]),
    supervisor.watch(ClaimIdle.loopName, ClaimIdle.claimIdle(run)),
    supervisor.watch(Monitor.loopName, Monitor.monitor(run, lookAtKey)),
    supervisor.watch(Housekeeping.loopName, Housekeeping.keepHouse(run)),
    supervisor.watch(FollowRules.loopName, rules.loop),
    supervisor.watch(Presence.loopName, presence.loop)
  ]
  return yield* Effect.raceFirst(
    Deferred.await(lost),
    Effect.all(loops, { concurrency: "unbounded", discard: true }).pipe(Effect.andThen(Effect.never))
  )
}, Effect.scoped)

/** Waits until a collector is ready, or has ended. */
const awaitReady = (
  readiness: Health.Health["ready"],
  join: Effect.Effect<void, CollectorError>,
  ...signals: ReadonlyArray<ChangeSignal>
): Effect.Effect<void, CollectorError | CollectorStopped> => {
  const look: Effect.Effect<void> = Effect.suspend(() => {
    const waiter = new Waiter(...signals)
    return Effect.flatMap(readiness, ({ ready }) => (ready ? Effect.void : Effect.flatMap(waiter.wait(), () => look)))
  })
  const ended = Effect.flatMap(join, () => Effect.fail(new CollectorStopped()))
  return Effect.raceFirst(ended, look)
}

/** What goes before the loops, and takes a name for them: it starts anew as they do. */
const runName = "run"

const loopNames = (
  consumedStreams: ReadonlyArray<ConsumedStream>,
  kinds: CollectorOptions["kinds"]
): ReadonlyArray<string> => [
  runName,
  ...kinds.flatMap((kind) => [
    ...(kind.concurrency === undefined && kind.rateLimit === undefined ? [] : [LimitKind.loopName(kind)]),
    ...(kind.rateLimit === undefined ? [] : [LimitRate.kindLoopName(kind)])
  ]),
  ...consumedStreams.map(Consume.loopName),
  DueDispatcher.loopName,
  RampUp.loopName,
  LimitRate.loopName,
  ClaimIdle.loopName,
  Monitor.loopName,
  Housekeeping.loopName,
  KeepAlive.loopName,
  Lease.loopName,
  FollowRules.loopName,
  Presence.loopName,
  Health.loopName,
  Alerts.loopName,
  ConfigSync.loopName
]

/**
 * Starts a collector; the scope's end is a clean stop. `makeConfigSync` makes the configuration sync that runs beside the
 * deliveries: undefined where it is off.
 */
export const makeCollector = <R>(
  options: CollectorOptions,
  version: string,
  makeConfigSync: (tell: ConfigSync.Tell) => Effect.Effect<ConfigSync.ConfigSync | undefined, never, R>
): Effect.Effect<Collector, never, Services | Scope.Scope | Exclude<R, JobsApi>> =>
  Effect.gen(function* () {
    const streams = yield* EventStreams
    const heartbeats = new Heartbeats()
    const supervisor = yield* makeSupervisor(heartbeats)
    const consumedStreams = consumedStreamsOf(options)
    const availability = new RedisAvailability()
    const traffic = new TrafficRules()
    const unmade = new UnmadeRequests(traffic.changed)
    const happenings = new Happenings()
    const readiness = new ChangeSignal()
    const gate = new DeliveryGate(options, traffic, new Ramp(options.deliveryConcurrency))
    const streamStates = freshStreamStates(consumedStreams)
    const apiRecord = new ApiRecord(Duration.toMillis(options.healthInterval))
    const jobsApi = yield* JobsApi
    const lasting: Lasting = {
      options,
      version,
      consumedStreams,
      streamStates,
      gate,
      traffic,
      unmade,
      happenings,
      readiness,
      api: apiRecord.watch(jobsApi),
      apiRecord,
      availability,
      supervisor
    }
    // A request may take as long as `API_TIMEOUT` lets it.
    const apiOfSync: JobsApi["Service"] = {
      ...lasting.api,
      configurations: (etag) => step(lasting.api.configurations(etag), Duration.toMillis(options.apiTimeout))
    }
    const configSync = yield* makeConfigSync((happening) => {
      if (happenings.isFollowed) happenings.tell(happening)
    }).pipe(
      Effect.provideService(JobsApi, apiOfSync),
      Effect.provideService(
        ConfigAudit,
        auditOfService(streams, Lease.leaseStream(consumedStreams), options.consumerName)
      )
    )
    const configLoop = configSync === undefined ? Effect.never : supervisor.watch(ConfigSync.loopName, configSync.run)
    const configVersion =
      configSync === undefined ? Effect.succeed(0) : Effect.map(configSync.status, ({ version = 0 }) => version)
    let current: CollectorRun | undefined
    /** How many were opened so far. */
    let runs = 0
    let stopping = false
    /** By what it ended, where that was no stop. */
    let failure: CollectorError | undefined
    const inspect = yield* CollectorInspection
    inspect(() => current)
    const { health, loop: healthLoop } = Health.makeHealth({
      options,
      streams,
      api: jobsApi,
      signer: yield* Signer,
      configuration: configSync === undefined ? Effect.succeed(configOff) : Effect.map(configSync.status, configChecks),
      consumedStreams,
      streamStates,
      availability,
      gate,
      traffic,
      unmade,
      happenings,
      readiness,
      apiRecord,
      heartbeats,
      run: () => current,
      stopping: () => stopping,
      ended: () => failure?.message
    })
    const webhook = yield* Effect.serviceOption(AlertWebhook)
    const alerts =
      options.alerts === undefined || Option.isNone(webhook)
        ? Effect.never
        : supervisor.watch(
            Alerts.loopName,
            Alerts.makeAlerts({
              format: options.alerts.format,
              webhook: webhook.value,
              happenings,
              streams,
              availability,
              stream: Lease.leaseStream(consumedStreams),
              teller: { service: options.serviceId, group: options.consumerGroup, replica: options.consumerName }
            })
          )
    yield* Metrics.initialize(
      [...new Set(consumedStreams.map(({ label }) => label))],
      loopNames(consumedStreams, options.kinds),
      ["api", ...options.isolateBy]
    )

    const run = Effect.gen(function* () {
      yield* awaitRedis(streams, availability)
      yield* demandStreams(streams, availability, options)
      yield* checkRedisAtStart(streams, consumedStreams)
      for (;;) {
        const lost = yield* runUntilNameLost(lasting, health.report, configVersion, (run) => {
          current = run
          if (run !== undefined) runs += 1
          if (run === undefined) heartbeats.clear([Health.loopName, Alerts.loopName, ConfigSync.loopName])
        })
        yield* Effect.logWarning("lease.lost").pipe(Effect.annotateLogs({ consumer: lost.name }))
      }
    })
    const ended = yield* Deferred.make<void, CollectorError>()
    const noteEnd = (cause: Cause.Cause<CollectorError>): Effect.Effect<void> => {
      const error = Option.getOrElse(
        Cause.findErrorOption(cause),
        () => new CollectorDied({ problem: problemOf(cause) })
      )
      failure = error
      happenings.end()
      // Told first: what died may be what the log is written by.
      return Deferred.fail(ended, error).pipe(
        Effect.andThen(
          Cause.hasFails(cause) ? Effect.logError("collector.ended") : Effect.logError("collector.ended", cause)
        ),
        Effect.annotateLogs({ problem: error.message })
      )
    }
    const looking = supervisor.watch(Health.loopName, healthLoop)
    const running = Effect.raceAllFirst([
      supervisor.watch(runName, run),
      looking,
      configLoop,
      alerts,
      supervisor.exhausted
    ]).pipe(Effect.onExit((exit) => (stopping || Exit.isSuccess(exit) ? Effect.void : noteEnd(exit.cause))))
    const stopOf = Effect.fnUntraced(function* (fiber: Fiber.Fiber<never, CollectorError>) {
      const idle = !stopping && current === undefined && fiber.pollUnsafe() === undefined
      const before = runs
      stopping = true
      yield* Fiber.interrupt(fiber)
      // One that was opened meanwhile says so itself.
      if (idle && runs === before) yield* saysIdleStop
      const exit = yield* Fiber.await(fiber)
      // An end by itself was told as it came.
      if (failure === undefined && Exit.isFailure(exit) && Cause.hasDies(exit.cause)) {
        yield* Effect.logError("stop.died", exit.cause)
      }
      yield* Deferred.succeed(ended, undefined)
      happenings.end()
    })
    // In one step: a scope that closes just then stops what was started.
    const fiber = yield* Effect.acquireRelease(Effect.forkDetach(running), stopOf)
    return {
      ...makeTrafficControl(
        { streams, stream: Lease.leaseStream(consumedStreams), group: options.consumerGroup },
        options.consumerName
      ),
      health,
      stopping: () => stopping,
      stop: stopOf(fiber),
      unfinished: supervisor.running,
      join: Deferred.await(ended),
      ready: awaitReady(health.ready, Deferred.await(ended), readiness, availability.changed),
      events: happenings.stream,
      redrive: makeRedrive({ streams, sets: knownStreams(options), group: options.consumerGroup }, options.consumerName)
    }
  }).pipe(tracedIfThereIsATracer)
