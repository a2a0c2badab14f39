/** The collector: takes a consumer name, runs all loops under it, and begins anew when the name is lost. */
import { Cause, Deferred, Duration, Effect, Exit, Fiber, FiberSet, Schema, type Scope } from "effect"
import type { CollectorOptions } from "../domain/options/options.ts"
import { EventStreams } from "../services/EventStreams.ts"
import { JobsApi } from "../services/JobsApi.ts"
import * as Metrics from "../services/Metrics.ts"
import type { RedisError } from "../services/Redis.ts"
import { redisFailure, redisFailureMessage } from "../services/RedisFailure.ts"
import { Signer } from "../services/Signer.ts"
import { makeAcknowledge } from "./delivery/acknowledge.ts"
import * as TakeOver from "./delivery/claimIdle.ts"
import * as Consume from "./delivery/consume.ts"
import { deliver } from "./delivery/deliver.ts"
import * as Dispatch from "./delivery/dueDispatcher.ts"
import { ensureGroup } from "./delivery/groups.ts"
import * as Retain from "./delivery/housekeeping.ts"
import * as KeepAlive from "./delivery/keepAlive.ts"
import * as Lease from "./delivery/lease.ts"
import * as Monitor from "./delivery/monitor.ts"
import { advise } from "./delivery/redisStartupChecks.ts"
import type { LaneState, Session } from "./delivery/state/collectorRun.ts"
import { type Lane, lanesOf } from "./delivery/state/consumedStream.ts"
import { Gate } from "./delivery/state/deliveryGate.ts"
import { Ledger } from "./delivery/state/inFlight.ts"
import { Permits } from "./delivery/state/permits.ts"
import { saysIdleStop, stopSession } from "./delivery/stop.ts"
import { configChecks, configOff } from "./gatewayConfig/configStatus.ts"
import * as ConfigSync from "./gatewayConfig/configSync.ts"
import { ApiRecord } from "./health/apiRecord.ts"
import * as Health from "./health/health.ts"
import { Link } from "./redis/redisAvailability.ts"
import { noteFailure, untilDoneOrRefused } from "./redis/retryRedis.ts"
import { Heartbeats, type Pulse } from "./supervision/heartbeats.ts"
import { makeSupervisor, type Supervisor, type TooManyDefects } from "./supervision/supervise.ts"

/** Redis refuses the credentials: waiting will not help. */
export class RedisRefused extends Schema.TaggedError<RedisRefused>()("RedisRefused", { problem: Schema.String }) {
  override get message(): string {
    return `Redis refuses this user: ${this.problem.replace(/\.$/, "")}. Check REDIS_URL, REDIS_PASSWORD_FILE and the user's permissions.`
  }
}

const refused = (error: RedisError): RedisRefused => new RedisRefused({ problem: redisFailureMessage(error) })

export type CollectorError = RedisRefused | TooManyDefects

/** A running collector. */
export interface Collector {
  /** The present run; undefined before Redis first answered, and between two runs. */
  readonly session: () => Session | undefined
  readonly link: Link
  /** How it is, as contract section 8 has it: for endpoints, and for a host app that wants to know. */
  readonly health: Health.Health
  /** True from the moment a stop begins. */
  readonly stopping: () => boolean
  /** A clean stop, done when it returns; the scope's end is one too. */
  readonly stop: Effect.Effect<void>
  /** Fails when the collector cannot go on; never succeeds. */
  readonly join: Effect.Effect<never, CollectorError>
}

type Services = EventStreams | JobsApi | Signer

/** Waits until Redis answers; only refused credentials are a reason to give up. */
const awaitRedis = (streams: EventStreams["Service"], link: Link): Effect.Effect<void, RedisRefused> =>
  untilDoneOrRefused(link, "connect", streams.ping).pipe(Effect.mapError(refused), Effect.andThen(link.succeeded))

const freshLaneStates = (lanes: ReadonlyArray<Lane>): ReadonlyMap<Lane, LaneState> =>
  new Map(
    lanes.map((lane) => [
      lane,
      {
        ready: false,
        grouped: false,
        unsure: false,
        lastSeenId: undefined,
        problem: undefined,
        figures: undefined,
        eaten: 0
      }
    ])
  )

/** What outlives a session: the circuit's state and what was seen of the streams do not depend on a consumer name. */
interface Lasting {
  readonly options: CollectorOptions
  readonly lanes: ReadonlyArray<Lane>
  readonly laneStates: ReadonlyMap<Lane, LaneState>
  readonly gate: Gate
  readonly api: JobsApi["Service"]
  readonly apiRecord: ApiRecord
  readonly link: Link
  readonly supervisor: Supervisor
  readonly heartbeats: Heartbeats
}

const openSession = (
  lasting: Lasting
): Effect.Effect<
  { readonly session: Session; readonly workers: FiberSet.FiberSet<void> },
  RedisRefused,
  Services | Scope.Scope
> =>
  Effect.gen(function* () {
    const { api, apiRecord, gate, heartbeats, lanes, laneStates, link, options, supervisor } = lasting
    const streams = yield* EventStreams
    const { sha256 } = yield* Signer
    const wanted = { group: options.consumerGroup, name: options.consumerName }
    const { consumer, lease } = yield* Lease.acquire(streams, link, Lease.leaseStream(lanes), wanted).pipe(
      Effect.mapError(refused)
    )
    const workers = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(workers)()
    const permits = new Permits(options.deliveryConcurrency)
    const ledger = new Ledger(lanes)
    const session: Session = {
      options,
      consumer,
      lanes,
      laneStates,
      streams,
      api,
      sha256,
      permits,
      ledger,
      gate,
      apiRecord,
      link,
      logLimit: link.logLimit,
      lease,
      requests: { inFlight: 0 },
      acknowledge: makeAcknowledge({ streams, consumer, link, fork }),
      start: (task, granted) => {
        fork(
          Effect.onExit(deliver(session, task), (exit) => {
            permits.release(granted)
            if (Exit.isSuccess(exit) || !Cause.hasDies(exit.cause)) return Effect.void
            // Nobody keeps it alive any more, so that it comes back as idle and its hand-outs are counted.
            ledger.remove(task)
            return supervisor.defect("deliver", exit.cause)
          })
        )
      },
      beat: heartbeats.beat,
      rest: heartbeats.rest
    }
    return { session, workers }
  })

/**
 * Creates the groups that do not exist before anything is read. What goes wrong here is the readers' to wait out, but
 * for missing permissions, which waiting does not mend.
 */
const createGroups = (session: Session): Effect.Effect<void, RedisRefused> =>
  Effect.forEach(
    session.lanes,
    (lane) =>
      Effect.catch(ensureGroup(session, lane), (error) =>
        redisFailure(error) === "refused"
          ? Effect.fail(refused(error))
          : noteFailure(session.link, "create-groups", error)
      ),
    { discard: true }
  )

/** Runs all loops under one consumer name until it is lost. */
const runSession = (
  lasting: Lasting,
  publish: (session: Session | undefined) => void
): Effect.Effect<Lease.LeaseLost, RedisRefused, Services> =>
  Effect.gen(function* () {
    const { supervisor } = lasting
    const { session, workers } = yield* openSession(lasting)
    const lost = yield* Deferred.make<Lease.LeaseLost>()
    publish(session)
    yield* Monitor.observeSession(session)
    // These two outlive the others, so that what is still in flight at a stop stays this process's own.
    yield* Effect.forkScoped(
      supervisor
        .watch(Lease.loopName, Lease.keepLease(session))
        .pipe(Effect.catch((error) => Deferred.succeed(lost, error)))
    )
    yield* Effect.forkScoped(supervisor.watch(KeepAlive.loopName, KeepAlive.keepAlive(session)))
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Deferred.isDone(lost), (nameIsLost) =>
        nameIsLost ? FiberSet.clear(workers) : stopSession(session, workers)
      ).pipe(Effect.ensuring(Effect.sync(() => publish(undefined))))
    )
    yield* createGroups(session)
    yield* Effect.logInfo("collecting").pipe(
      Effect.annotateLogs({ consumer: session.consumer.name, group: session.consumer.group })
    )
    const loops = [
      ...session.lanes.map((lane) => supervisor.watch(Consume.loopName(lane), Consume.consume(session, lane))),
      supervisor.watch(Dispatch.loopName, Dispatch.dispatch(session)),
      supervisor.watch(TakeOver.loopName, TakeOver.takeOver(session)),
      supervisor.watch(Monitor.loopName, Monitor.monitor(session)),
      supervisor.watch(Retain.loopName, Retain.retain(session))
    ]
    return yield* Effect.raceFirst(
      Deferred.await(lost),
      Effect.all(loops, { concurrency: "unbounded", discard: true }).pipe(Effect.andThen(Effect.never))
    )
  }).pipe(Effect.scoped)

const loopNames = (lanes: ReadonlyArray<Lane>): ReadonlyArray<string> => [
  ...lanes.map(Consume.loopName),
  Dispatch.loopName,
  TakeOver.loopName,
  Monitor.loopName,
  Retain.loopName,
  KeepAlive.loopName,
  Lease.loopName,
  Health.loopName,
  ConfigSync.loopName
]

/** Makes the configuration sync that runs beside the deliveries; undefined where it is off. */
export type MakeConfigSync<R> = (pulse: Pulse) => Effect.Effect<ConfigSync.ConfigSync | undefined, never, R>

/** Starts a collector; the scope's end is a clean stop. */
export const makeCollector = <R>(
  options: CollectorOptions,
  makeConfigSync: MakeConfigSync<R>
): Effect.Effect<Collector, never, Services | Scope.Scope | Exclude<R, JobsApi>> =>
  Effect.gen(function* () {
    const streams = yield* EventStreams
    const supervisor = yield* makeSupervisor
    const lanes = lanesOf(options)
    const link = new Link()
    const heartbeats = new Heartbeats()
    const gate = new Gate(options.circuitBreaker)
    const laneStates = freshLaneStates(lanes)
    const apiRecord = new ApiRecord(Duration.toMillis(options.healthInterval), options.rejectStatuses)
    const jobsApi = yield* JobsApi
    const lasting: Lasting = {
      options,
      lanes,
      laneStates,
      gate,
      api: apiRecord.watch(jobsApi),
      apiRecord,
      link,
      supervisor,
      heartbeats
    }
    const syncPulse: Pulse = {
      beat: heartbeats.beat(ConfigSync.loopName),
      asking: heartbeats.beat(ConfigSync.loopName, Duration.toMillis(options.apiTimeout)),
      rest: heartbeats.rest(ConfigSync.loopName)
    }
    const configSync = yield* Effect.provideService(makeConfigSync(syncPulse), JobsApi, lasting.api)
    const configLoop = configSync === undefined ? Effect.never : supervisor.watch(ConfigSync.loopName, configSync.run)
    let current: Session | undefined
    /** How many were opened so far. */
    let sessions = 0
    let stopping = false
    const health = Health.makeHealth({
      options,
      streams,
      api: jobsApi,
      signer: yield* Signer,
      configuration: configSync === undefined ? Effect.succeed(configOff) : Effect.map(configSync.status, configChecks),
      lanes,
      laneStates,
      link,
      gate,
      apiRecord,
      heartbeats,
      session: () => current,
      stopping: () => stopping
    })
    yield* Metrics.initialize([...new Set(lanes.map(({ label }) => label))], loopNames(lanes))

    const run = Effect.gen(function* () {
      yield* awaitRedis(streams, link)
      yield* advise(streams, lanes)
      for (;;) {
        const lost = yield* runSession(lasting, (session) => {
          current = session
          if (session !== undefined) sessions += 1
          if (session === undefined) heartbeats.clear([Health.loopName, ConfigSync.loopName])
        })
        yield* Effect.logWarning("lease.lost").pipe(Effect.annotateLogs({ consumer: lost.name }))
      }
    })
    const ended = yield* Deferred.make<never, CollectorError>()
    const looking = supervisor.watch(Health.loopName, health.loop)
    const running = yield* Effect.raceAllFirst([run, looking, configLoop, supervisor.exhausted]).pipe(
      Effect.catch((error) => Deferred.fail(ended, error)),
      Effect.forkScoped
    )
    const stop = Effect.suspend(() => {
      const idle = !stopping && current === undefined && running.pollUnsafe() === undefined
      const before = sessions
      stopping = true
      // One that was opened meanwhile says so itself.
      const said = Effect.suspend(() => (idle && sessions === before ? saysIdleStop : Effect.void))
      return Effect.andThen(Fiber.interrupt(running), said)
    })
    yield* Effect.addFinalizer(() => stop)
    return {
      session: () => current,
      link,
      health,
      stopping: () => stopping,
      stop,
      join: Deferred.await(ended)
    }
  })
