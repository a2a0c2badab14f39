/** Looks at the streams from outside: their figures, groups that are gone, and unread entries that trimming ate. */
import { Clock, Duration, Effect, Metric, type Scope } from "effect"
import { compareIds, timeOfId } from "../../domain/events/streamId.ts"
import type { GroupInfo, StreamInfo } from "../../services/EventStreams.ts"
import * as Metrics from "../../services/Metrics.ts"
import type { RedisError } from "../../services/Redis.ts"
import { redisFailureMessage } from "../../services/RedisFailure.ts"
import { noteFailure } from "../redis/retryRedis.ts"
import { ensureGroup } from "./groups.ts"
import { type LaneFigures, laneState, type Session } from "./state/collectorRun.ts"
import type { Lane } from "./state/consumedStream.ts"

export const loopName = "monitor"

/**
 * How many entries were trimmed away before the group read them. Redis knows how many were ever added and how many the
 * group has read; where the stream begins past the group's last-delivered id, everything before its beginning is gone.
 */
export const eatenByTrimming = (stream: StreamInfo, group: GroupInfo): number => {
  const beginsPast = stream.firstId === undefined || compareIds(stream.firstId, group.lastDeliveredId) > 0
  if (!beginsPast || group.entriesRead === undefined) return 0
  return Math.max(0, stream.entriesAdded - stream.length - group.entriesRead)
}

const noteEaten = (session: Session, lane: Lane, eaten: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const state = laneState(session, lane)
    const more = eaten - state.eaten
    state.eaten = eaten
    return more <= 0
      ? Effect.void
      : Effect.andThen(
          Metric.update(Metrics.lostByRedis("trimmed"), more),
          Effect.logError("entries.lost_by_redis").pipe(
            Effect.annotateLogs({ cause: "trimmed", stream: lane.key, entries: more })
          )
        )
  })

const look = (session: Session, lane: Lane): Effect.Effect<LaneFigures | undefined, RedisError> =>
  Effect.gen(function* () {
    const { options, streams } = session
    // The stream first: what is read between the two looks must not seem to have been trimmed away.
    const before = yield* streams.streamInfo(lane.key)
    const group = yield* ensureGroup(session, lane)
    const stream = before ?? (yield* streams.streamInfo(lane.key))
    if (stream === undefined || group === undefined) return undefined
    yield* noteEaten(session, lane, eatenByTrimming(stream, group))
    const oldest = yield* streams.oldestPending(lane.key, options.consumerGroup)
    const now = yield* Clock.currentTimeMillis
    return {
      length: stream.length,
      pending: group.pending,
      consumers: group.consumers,
      lag: group.lag,
      oldestPendingSeconds: oldest === undefined ? 0 : Math.max(0, now - timeOfId(oldest)) / 1_000
    }
  })

const sum = (figures: ReadonlyArray<LaneFigures>, of: (figure: LaneFigures) => number): number =>
  figures.reduce((total, figure) => total + of(figure), 0)

/** Writes the gauges of one label, summed over its shards. */
const publish = (session: Session, label: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    const figures = session.lanes
      .filter((lane) => lane.label === label)
      .flatMap((lane) => laneState(session, lane).figures ?? [])
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

/** Publishes what this process holds, read whenever metrics are read. */
export const observeSession = (session: Session): Effect.Effect<void, never, Scope.Scope> =>
  Effect.all(
    [
      Metrics.observe(Metrics.inFlight, () => session.requests.inFlight),
      Metrics.observe(Metrics.held, () => session.ledger.held),
      Metrics.observe(Metrics.circuitOpen, () => (session.gate.open ? 1 : 0)),
      Metrics.observe(Metrics.redisUp, () => (session.link.up ? 1 : 0))
    ],
    { discard: true }
  )

export const monitor = (session: Session): Effect.Effect<never> =>
  Effect.gen(function* () {
    const everyMs = Duration.toMillis(session.options.healthInterval)
    const labels = new Set(session.lanes.map(({ label }) => label))
    const looks = session.lanes.map((lane) => ({
      state: laneState(session, lane),
      looking: Effect.result(look(session, lane))
    }))
    const publications = [...labels].map((label) => publish(session, label))
    for (;;) {
      for (const { looking, state } of looks) {
        yield* session.beat(loopName)
        const looked = yield* looking
        if (looked._tag === "Success") {
          state.figures = looked.success
          if (state.ready) state.problem = undefined
        } else {
          state.figures = undefined
          state.problem = redisFailureMessage(looked.failure)
          yield* noteFailure(session.link, loopName, looked.failure)
        }
      }
      for (const publication of publications) yield* publication
      yield* session.rest(loopName)
      yield* Effect.sleep(everyMs)
    }
  })
