/** Looks at the streams and at Redis from outside: their figures, and unread entries that trimming ate. */
import { Clock, Duration, Effect, Metric, type Scope, ScopedRef } from "effect"
import { compareIds, timeOfId } from "../../domain/events/streamId.ts"
import { ruleKinds } from "../../domain/traffic/rules.ts"
import type { GroupInfo, StreamInfo } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import * as Metrics from "../../services/Metrics.ts"
import { keyId, type Signer } from "../../services/Signer.ts"
import { noteFailure } from "../redis/retryRedis.ts"
import { repeatSteps, sleepToBeat, waiting } from "../supervision/loop.ts"
import { type CollectorRun, type RunRedis, type StreamFigures, streamState } from "./state/collectorRun.ts"
import type { ConsumedStream } from "./state/consumedStream.ts"

export const loopName = "monitor"

/**
 * How many entries were trimmed away before the group read them. Redis knows how many were ever added and how many the
 * group has read; where the stream begins past the group's last-delivered id, everything before its beginning is gone.
 */
const unreadTrimmed = (stream: StreamInfo, group: GroupInfo): number => {
  const beginsPast = stream.firstId === undefined || compareIds(stream.firstId, group.lastDeliveredId) > 0
  if (!beginsPast || group.entriesRead === undefined) return 0
  return Math.max(0, stream.entriesAdded - stream.length - group.entriesRead)
}

const noteTrimmed = (run: RunRedis, stream: ConsumedStream, trimmedUnread: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const state = streamState(run, stream)
    const more = trimmedUnread - state.trimmedUnread
    state.trimmedUnread = trimmedUnread
    return more <= 0
      ? Effect.void
      : Effect.andThen(
          Metric.update(Metrics.lostByRedis("trimmed"), more),
          Effect.logError("entries.lost_by_redis").pipe(
            Effect.annotateLogs({ cause: "trimmed", stream: stream.key, entries: more })
          )
        )
  })

const look = Effect.fnUntraced(function* (
  run: CollectorRun,
  stream: ConsumedStream
): Effect.fn.Return<StreamFigures | undefined, EventStreamsError> {
  const { options, streams } = run
  // The stream first: what is read between the two looks must not seem to have been trimmed away.
  const info = yield* streams.streamInfo(stream.key)
  const group = yield* streams.groupInfo(stream.key, options.consumerGroup)
  if (info === undefined || group === undefined) return undefined
  yield* noteTrimmed(run, stream, unreadTrimmed(info, group))
  // Of an entry that is kept alive Redis knows only when that was last done; its owner knows when it was read.
  const idleMs = yield* streams.longestIdle(stream.key, options.consumerGroup, Duration.toMillis(options.claimIdle))
  const now = yield* Clock.monotonicTimeNanos
  const ownNanos = now - (run.owned.firstRead(stream)?.readAtNanos ?? now)
  return {
    length: info.length,
    pending: group.pending,
    consumers: group.consumers,
    lag: group.lag,
    oldestPendingSeconds: Math.max(idleMs / 1_000, Number(ownNanos) / 1e9)
  }
})

const sum = (figures: ReadonlyArray<StreamFigures>, of: (figure: StreamFigures) => number): number =>
  figures.reduce((total, figure) => total + of(figure), 0)

/** Writes the gauges of one label, summed over its shards. */
const publish = Effect.fnUntraced(function* (run: RunRedis, label: string): Effect.fn.Return<void> {
  const figures = run.consumedStreams
    .filter((stream) => stream.label === label)
    .flatMap((stream) => streamState(run, stream).figures ?? [])
  if (figures.length === 0) return
  yield* Metric.update(
    Metrics.streamLength(label),
    sum(figures, ({ length }) => length)
  )
  yield* Metric.update(
    Metrics.streamGroupPending(label),
    sum(figures, ({ pending }) => pending)
  )
  yield* Metric.update(
    Metrics.oldestPending(label),
    figures.reduce((oldest, figure) => Math.max(oldest, figure.oldestPendingSeconds), 0)
  )
  const lags = figures.flatMap(({ lag }) => lag ?? [])
  if (lags.length === figures.length) {
    yield* Metric.update(
      Metrics.streamGroupLag(label),
      lags.reduce((total, lag) => total + lag, 0)
    )
  } else yield* Metrics.forget(Metrics.streamGroupLag(label))
})

/** What lies abandoned, of all sets. */
const lookAtAbandoned = (run: RunRedis): Effect.Effect<void> => {
  const keys = new Set(run.consumedStreams.map(({ abandoned }) => abandoned))
  return Effect.gen(function* () {
    const found = yield* Effect.forEach(keys, (key) => run.streams.streamInfo(key))
    const now = yield* Clock.currentTimeMillis
    const ages = found.map((info) => (info?.firstId === undefined ? 0 : now - timeOfId(info.firstId)))
    yield* Metric.update(
      Metrics.abandonedLength,
      found.reduce((total, info) => total + (info?.length ?? 0), 0)
    )
    yield* Metric.update(Metrics.abandonedOldest, Math.max(0, ...ages) / 1_000)
  }).pipe(
    Effect.catch((error) =>
      Effect.all(
        [
          Metrics.forget(Metrics.abandonedLength),
          Metrics.forget(Metrics.abandonedOldest),
          noteFailure(run.availability, loopName, error)
        ],
        { discard: true }
      )
    )
  )
}

/** How full Redis is. One that does not tell is none the worse for it. */
const lookAtMemory = (run: RunRedis): Effect.Effect<void> =>
  run.streams.serverInfo.pipe(
    Effect.orElseSucceed((): ReadonlyMap<string, string> => new Map()),
    Effect.flatMap((info) => {
      const ratio = Number(info.get("used_memory")) / Number(info.get("maxmemory"))
      return Number.isFinite(ratio)
        ? Metric.update(Metrics.redisMemoryUsed, ratio)
        : Metrics.forget(Metrics.redisMemoryUsed)
    })
  )

/** Publishes what this process holds, read whenever metrics are read. */
export const observeRun = (run: CollectorRun): Effect.Effect<void, never, Scope.Scope> =>
  Effect.all(
    [
      Metrics.observe(Metrics.deliveryConcurrency, () => run.permits.total),
      Metrics.observe(Metrics.inFlight, () => run.apiRecord.inFlight),
      Metrics.observe(Metrics.held, () => run.owned.held),
      Metrics.observe(Metrics.circuitOpen, () => (run.gate.circuitOpen ? 1 : 0)),
      ...ruleKinds.map((kind) => Metrics.observe(Metrics.rules(kind), () => run.traffic.count(kind))),
      Metrics.observe(Metrics.redisUp, () => (run.availability.up ? 1 : 0))
    ],
    { discard: true }
  )

/** Publishes which build runs and with which key; `lookAtKey` looks again, as the key may be another one by now. */
export const observeBuild = Effect.fnUntraced(function* (
  { consumer }: CollectorRun,
  version: string,
  signer: Signer["Service"]
): Effect.fn.Return<{ readonly lookAtKey: Effect.Effect<void> }, never, Scope.Scope> {
  const observe = Effect.suspend(() => {
    const { publicKey } = signer
    const build = { version, consumer: consumer.name, key_id: keyId(signer) }
    return Effect.as(
      Metrics.observe(Metrics.buildInfo(build), () => 1),
      publicKey
    )
  })
  const observed = yield* ScopedRef.fromAcquire(observe)
  return {
    lookAtKey: Effect.suspend(() =>
      ScopedRef.getUnsafe(observed) === signer.publicKey ? Effect.void : ScopedRef.set(observed, observe)
    )
  }
})

export const monitor = (run: CollectorRun, lookAtKey: Effect.Effect<void>): Effect.Effect<never> =>
  Effect.suspend(() => {
    const everyMs = Duration.toMillis(run.options.healthInterval)
    const labels = new Set(run.consumedStreams.map(({ label }) => label))
    const looks = run.consumedStreams.map((stream) => {
      const state = streamState(run, stream)
      return Effect.matchEffect(look(run, stream), {
        onSuccess: (figures) => {
          state.figures = figures
          if (state.ready) state.problem = undefined
          return Effect.void
        },
        onFailure: (error) => {
          state.figures = undefined
          state.problem = error.message
          return noteFailure(run.availability, loopName, error)
        }
      })
    })
    const publications = [...labels].map((label) => publish(run, label))
    return repeatSteps(
      ...looks,
      ...publications,
      lookAtKey,
      lookAtAbandoned(run),
      lookAtMemory(run),
      waiting(sleepToBeat(everyMs))
    )
  })
