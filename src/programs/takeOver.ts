/** Takes over entries that nobody works on: idle for `CLAIM_IDLE`, whoever owns them (contract section 6). */
import { Clock, Duration, Effect, Metric } from "effect"
import * as Metrics from "../services/Metrics.ts"
import type { RedisError } from "../services/Redis.ts"
import { redisFailure } from "../services/RedisFailure.ts"
import { holdPending, roomFor } from "./ownPending.ts"
import { noteFailure } from "./persist.ts"
import { sayOfEntry } from "./say.ts"
import type { Lane } from "./state/lanes.ts"
import type { Session } from "./state/session.ts"

export const loopName = "take-over"

/** XAUTOCLAIM looks at ten times as many pending entries as it may claim. */
const batch = 100

const noteDeleted = (session: Session, lane: Lane, ids: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.forEach(
    ids,
    (id) =>
      Effect.andThen(
        Metric.update(Metrics.lostByRedis("deleted"), 1),
        sayOfEntry(session, "entry.lost_by_redis", Effect.logError, {
          cause: "deleted",
          stream: lane.key,
          entry_id: id
        })
      ),
    { discard: true }
  )

/** One step through a lane's pending entries: where to go on. */
const step = (session: Session, lane: Lane, cursor: string): Effect.Effect<string, RedisError> =>
  Effect.gen(function* () {
    const { consumer, ledger, streams } = session
    const count = Math.min(batch, roomFor(session, lane))
    if (count <= 0) return cursor
    const minIdle = Duration.toMillis(session.options.claimIdle)
    const claimed = yield* streams.claimIdle(lane.key, consumer, minIdle, cursor, count)
    yield* noteDeleted(session, lane, claimed.deleted)
    const wanted = new Set(claimed.ids.filter((id) => !ledger.has(lane, id)))
    if (wanted.size === 0) return claimed.cursor
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
    return claimed.cursor
  })

/** The id just before this one: an exclusive start. */
const before = (id: string): string => {
  const [time = "0", sequence = "0"] = id.split("-")
  if (sequence !== "0") return `${time}-${BigInt(sequence) - 1n}`
  return time === "0" ? "-" : `${BigInt(time) - 1n}-18446744073709551615`
}

/** After Redis was away, every replica is given the time to renew its own before anything is taken over. */
const mayTake = (session: Session, now: number): boolean => {
  const since = session.link.upAgainSince
  return session.link.up && (since === undefined || now >= since + Duration.toMillis(session.options.claimIdle))
}

/** Scans each stream's pending entries again and again, its cursor kept, thirty steps within `CLAIM_IDLE`. */
export const takeOver = (session: Session): Effect.Effect<never> =>
  Effect.gen(function* () {
    const everyMs = Math.min(10_000, Duration.toMillis(session.options.claimIdle) / 30)
    const cursors = new Map<Lane, string>()
    for (;;) {
      yield* session.beat(loopName)
      if (mayTake(session, yield* Clock.currentTimeMillis)) {
        for (const lane of session.lanes) {
          yield* session.beat(loopName)
          const stepped = step(session, lane, cursors.get(lane) ?? "0-0")
          const cursor = yield* Effect.catch(stepped, (error) =>
            Effect.gen(function* () {
              if (redisFailure(error) !== "no-group") {
                yield* noteFailure(session.link, loopName, error)
              }
              return "0-0"
            })
          )
          cursors.set(lane, cursor)
        }
      }
      yield* Effect.sleep(everyMs)
    }
  })
