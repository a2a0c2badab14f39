/** Takes over entries that nobody works on: idle for `CLAIM_IDLE`, whoever owns them (contract section 6). */
import { Clock, Duration, Effect, Metric } from "effect"
import * as Metrics from "../services/Metrics.ts"
import type { RedisError } from "../services/Redis.ts"
import { redisFailure } from "../services/RedisFailure.ts"
import { holdPending, roomFor } from "./ownPending.ts"
import { noteFailure } from "./persist.ts"
import { lostByRedis, noteDeleted } from "./settle.ts"
import type { Lane } from "./state/lanes.ts"
import type { Session } from "./state/session.ts"

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

/** One step through a lane's pending entries: where to go on, or undefined where there is no room for more. */
const step = (session: Session, lane: Lane, cursor: string): Effect.Effect<string | undefined, RedisError> =>
  Effect.gen(function* () {
    const { consumer, ledger, streams } = session
    const count = Math.min(batch, roomFor(session, lane))
    if (count <= 0) return undefined
    const minIdle = Duration.toMillis(session.options.claimIdle)
    const claimed = yield* streams.claimIdle(lane.key, consumer, minIdle, cursor, count)
    yield* takeIn(session, lane, claimed.deleted)
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

/** Most steps through one lane in a row, so that no lane waits long for another. */
const mostSteps = 20

/** Goes through a lane's pending entries from a cursor on, for as long as there is room: where to go on next time. */
const scan = (session: Session, lane: Lane, from: string): Effect.Effect<string, RedisError> =>
  Effect.gen(function* () {
    let cursor = from
    for (let steps = 0; steps < mostSteps; steps++) {
      const next = yield* step(session, lane, cursor)
      if (next === undefined) return cursor
      cursor = next
      if (cursor === "0-0") return cursor
    }
    return cursor
  })

/** After Redis was away, every replica is given the time to renew its own before anything is taken over. */
const mayTake = (session: Session, now: number): boolean => {
  const since = session.link.upAgainSince
  return session.link.up && (since === undefined || now >= since + Duration.toMillis(session.options.claimIdle))
}

/** Scans each stream's pending entries again and again, its cursor kept, thirty times within `CLAIM_IDLE`. */
export const takeOver = (session: Session): Effect.Effect<never> =>
  Effect.gen(function* () {
    const everyMs = Math.min(10_000, Duration.toMillis(session.options.claimIdle) / 30)
    const cursors = new Map<Lane, string>()
    for (;;) {
      yield* session.beat(loopName)
      if (mayTake(session, yield* Clock.currentTimeMillis)) {
        for (const lane of session.lanes) {
          yield* session.beat(loopName)
          const scanned = scan(session, lane, cursors.get(lane) ?? "0-0")
          const cursor = yield* Effect.catch(scanned, (error) =>
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
