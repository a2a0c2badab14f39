/** Takes over entries that nobody works on: idle for `CLAIM_IDLE`, whoever owns them (contract section 6). */
import { Duration, Effect, Metric } from "effect"
import { idBefore } from "../../domain/events/streamId.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import * as Metrics from "../../services/Metrics.ts"
import { monotonicMillis } from "../redis/monotonic.ts"
import { noteFailure } from "../redis/retryRedis.ts"
import { repeatSteps, sleepToBeat } from "../supervision/loop.ts"
import { leaseStream } from "./lease.ts"
import { lostByRedis, noteDeleted } from "./lostEntries.ts"
import { holdPending, roomFor } from "./pendingRecovery.ts"
import { type CollectorRun, streamState } from "./state/collectorRun.ts"
import type { ConsumedStream } from "./state/consumedStream.ts"

export const loopName = "take-over"

/** XAUTOCLAIM looks at ten times as many pending entries as it may claim. */
const batch = 100

/** Entries that Redis lost while they were pending, this process's own among them. */
const takeIn = (run: CollectorRun, stream: ConsumedStream, deleted: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.forEach(
    deleted,
    (id) => {
      const entry = run.owned.get(stream, id)
      return entry === undefined ? noteDeleted(run, stream, id) : lostByRedis(run, entry)
    },
    { discard: true }
  )

/** Most steps through one stream in a row, so that no stream waits long for another. */
const mostSteps = 20

interface Claimed {
  readonly ids: ReadonlyArray<string>
  /** Entries that Redis lost while they were pending. */
  readonly deleted: ReadonlyArray<string>
}

/** Holds what was claimed and is not known here yet. */
const takeOn = Effect.fnUntraced(function* (
  run: CollectorRun,
  stream: ConsumedStream,
  { deleted, ids }: Claimed
): Effect.fn.Return<void, EventStreamsError> {
  const { consumer, owned, streams } = run
  yield* takeIn(run, stream, deleted)
  const wanted = new Set(ids.filter((id) => !owned.has(stream, id)))
  if (wanted.size === 0) return
  const ask = Effect.forEach(wanted, (id) => streams.pendingOf(stream.key, consumer, idBefore(id), 1), {
    concurrency: 16
  })
  const { held } = yield* holdPending(
    run,
    stream,
    Effect.map(ask, (pending) => pending.flat().filter(({ id }) => wanted.has(id)))
  )
  yield* Metric.update(Metrics.entriesClaimed(stream.label), held)
  if (held > 0) {
    yield* Effect.logInfo("entries.claimed").pipe(Effect.annotateLogs({ stream: stream.key, entries: held }))
  }
})

/** Claims one batch of idle entries from a cursor on: where to go on. */
const claim = (
  run: CollectorRun,
  stream: ConsumedStream,
  cursor: string,
  count: number
): Effect.Effect<string, EventStreamsError> => {
  const { consumer, streams } = run
  const minIdle = Duration.toMillis(run.options.claimIdle)
  return Effect.flatMap(streams.claimIdle(stream.key, consumer, minIdle, cursor, count), (claimed) =>
    claimed.ids.length + claimed.deleted.length === 0
      ? Effect.succeed(claimed.cursor)
      : Effect.as(takeOn(run, stream, claimed), claimed.cursor)
  )
}

/**
 * Whether entries of a stream are left pending by this process on purpose, too many to be held, or are being read again: they are
 * idle, and to claim them would be to look at each of them again and again, only to leave it again (docs/decisions/028).
 */
const leavesSome = (run: CollectorRun, stream: ConsumedStream): boolean => {
  const { gaveWayDue, unread } = streamState(run, stream)
  return run.left.anyOf(stream) || gaveWayDue !== undefined || unread !== undefined
}

/**
 * Claims idle entries of the consumers that are gone: those whose name nobody holds. What others leave pending they take up
 * themselves in time, as this process does.
 */
const claimOfGone = Effect.fnUntraced(function* (
  run: CollectorRun,
  stream: ConsumedStream
): Effect.fn.Return<void, EventStreamsError> {
  const { consumedStreams, consumer, options, streams } = run
  const { group } = consumer
  const minIdle = Duration.toMillis(options.claimIdle)
  const consumers = yield* streams.consumers(stream.key, group)
  const others = consumers.filter(({ name, pending }) => name !== consumer.name && pending > 0)
  let steps = 0
  for (const { name } of others) {
    if (yield* streams.isLeased(leaseStream(consumedStreams), { group, name })) continue
    for (; steps < mostSteps; steps++) {
      const count = Math.min(batch, roomFor(run, stream, yield* monotonicMillis))
      if (count <= 0) return
      const idle = yield* streams.idleOf(stream.key, { group, name }, minIdle, count)
      const claims = idle.map((id) => streams.claimIdle(stream.key, consumer, minIdle, id, 1))
      const claimed = yield* Effect.all(claims, { concurrency: 16 })
      yield* takeOn(run, stream, {
        ids: claimed.flatMap(({ ids }) => ids),
        deleted: claimed.flatMap(({ deleted }) => deleted)
      })
      if (idle.length < count) break
    }
  }
})

/** After Redis was away, every replica is given the time to renew its own before anything is taken over. */
const mayTake = (run: CollectorRun, now: number): boolean => {
  const since = run.availability.upAgainSince
  return run.availability.up && (since === undefined || now >= since + Duration.toMillis(run.options.claimIdle))
}

/**
 * Goes on through a stream's pending entries for as long as there is room, its cursor kept for the next time: made once
 * for each stream, run again and again.
 */
const makeScan = (run: CollectorRun, stream: ConsumedStream): Effect.Effect<void> => {
  let cursor = "0-0"
  return Effect.gen(function* () {
    const now = yield* monotonicMillis
    if (!mayTake(run, now)) return
    if (leavesSome(run, stream)) return yield* claimOfGone(run, stream)
    for (let steps = 0; steps < mostSteps; steps++) {
      const count = Math.min(batch, roomFor(run, stream, now))
      if (count <= 0) return
      cursor = yield* claim(run, stream, cursor, count)
      if (cursor === "0-0") return
    }
  }).pipe(
    Effect.catch((error) => {
      cursor = "0-0"
      if (error.reason._tag === "NoGroup") return Effect.void
      streamState(run, stream).needsReread = true
      return noteFailure(run.availability, loopName, error)
    })
  )
}

/** Scans each stream's pending entries again and again, thirty times within `CLAIM_IDLE`. */
export const claimIdle = (run: CollectorRun): Effect.Effect<never> =>
  Effect.suspend(() => {
    const everyMs = Math.min(10_000, Duration.toMillis(run.options.claimIdle) / 30)
    const scans = run.consumedStreams.map((stream) => makeScan(run, stream))
    return repeatSteps(...scans, sleepToBeat(everyMs))
  })
