/** Takes over entries that nobody works on: idle for `CLAIM_IDLE`, whoever owns them (contract section 6). */
import { Clock, Duration, Effect, Metric } from "effect"
import * as Metrics from "../../services/Metrics.ts"
import type { RedisError } from "../../services/Redis.ts"
import { redisFailure } from "../../services/RedisFailure.ts"
import { noteFailure } from "../redis/retryRedis.ts"
import { holdPending, roomFor } from "./pendingRecovery.ts"
import { lostByRedis, noteDeleted } from "./settle.ts"
import { laneState, type Session } from "./state/collectorRun.ts"
import type { Lane } from "./state/consumedStream.ts"

export const loopName = "take-over"

/** XAUTOCLAIM looks at ten times as many pending entries as it may claim. */
const batch = 100

/** Entries that Redis lost while they were pending, this process's own among them. */
const takeIn = (session: Session, lane: Lane, deleted: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.forEach(
    deleted,
    (id) => {
      const task = session.ledger.get(lane, id)
      return task === undefined ? noteDeleted(session, lane, id) : lostByRedis(session, task)
    },
    { discard: true }
  )

/** The id just before this one: an exclusive start. */
const before = (id: string): string => {
  const [time = "0", sequence = "0"] = id.split("-")
  if (sequence !== "0") return `${time}-${BigInt(sequence) - 1n}`
  return time === "0" ? "-" : `${BigInt(time) - 1n}-18446744073709551615`
}

/** Most steps through one lane in a row, so that no lane waits long for another. */
const mostSteps = 20

interface Claimed {
  readonly ids: ReadonlyArray<string>
  /** Entries that Redis lost while they were pending. */
  readonly deleted: ReadonlyArray<string>
}

/** Holds what was claimed and is not known here yet. */
const takeOn = (session: Session, lane: Lane, { deleted, ids }: Claimed): Effect.Effect<void, RedisError> =>
  Effect.gen(function* () {
    const { consumer, ledger, streams } = session
    yield* takeIn(session, lane, deleted)
    const wanted = new Set(ids.filter((id) => !ledger.has(lane, id)))
    if (wanted.size === 0) return
    const pending = yield* Effect.forEach(wanted, (id) => streams.pendingOf(lane.key, consumer, before(id), 1), {
      concurrency: 16
    })
    const taken = yield* holdPending(
      session,
      lane,
      pending.flat().filter(({ id }) => wanted.has(id))
    )
    yield* Metric.update(Metrics.entriesClaimed(lane.label), taken)
    if (taken > 0) {
      yield* Effect.logInfo("entries.claimed").pipe(Effect.annotateLogs({ stream: lane.key, entries: taken }))
    }
  })

/** Claims one batch of idle entries from a cursor on: where to go on. */
const claim = (session: Session, lane: Lane, cursor: string, count: number): Effect.Effect<string, RedisError> => {
  const { consumer, streams } = session
  const minIdle = Duration.toMillis(session.options.claimIdle)
  return Effect.flatMap(streams.claimIdle(lane.key, consumer, minIdle, cursor, count), (claimed) =>
    claimed.ids.length + claimed.deleted.length === 0
      ? Effect.succeed(claimed.cursor)
      : Effect.as(takeOn(session, lane, claimed), claimed.cursor)
  )
}

/**
 * Goes on through a lane's pending entries for as long as there is room, its cursor kept for the next time: made once
 * for each lane, run again and again.
 */
const makeScan = (session: Session, lane: Lane): Effect.Effect<void> => {
  let cursor = "0-0"
  return Effect.gen(function* () {
    yield* session.beat(loopName)
    for (let steps = 0; steps < mostSteps; steps++) {
      const count = Math.min(batch, roomFor(session, lane))
      if (count <= 0) return
      cursor = yield* claim(session, lane, cursor, count)
      if (cursor === "0-0") return
    }
  }).pipe(
    Effect.catch((error) => {
      cursor = "0-0"
      if (redisFailure(error) === "no-group") return Effect.void
      laneState(session, lane).unsure = true
      return noteFailure(session.link, loopName, error)
    })
  )
}

/** After Redis was away, every replica is given the time to renew its own before anything is taken over. */
const mayTake = (session: Session, now: number): boolean => {
  const since = session.link.upAgainSince
  return session.link.up && (since === undefined || now >= since + Duration.toMillis(session.options.claimIdle))
}

/** Scans each stream's pending entries again and again, thirty times within `CLAIM_IDLE`. */
export const takeOver = (session: Session): Effect.Effect<never> =>
  Effect.gen(function* () {
    const everyMs = Math.min(10_000, Duration.toMillis(session.options.claimIdle) / 30)
    const scans = session.lanes.map((lane) => makeScan(session, lane))
    for (;;) {
      yield* session.beat(loopName)
      if (mayTake(session, yield* Clock.currentTimeMillis)) for (const scan of scans) yield* scan
      yield* Effect.sleep(everyMs)
    }
  })
