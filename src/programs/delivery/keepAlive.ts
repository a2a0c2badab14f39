/** Keeps everything this process owns from being taken over, and finds out what it owns no more. */
import { Clock, Duration, Effect } from "effect"
import type { RedisError } from "../../services/Redis.ts"
import { redisFailure } from "../../services/RedisFailure.ts"
import { Watch } from "../redis/changeSignal.ts"
import { backoff, noteFailure } from "../redis/retryRedis.ts"
import { drop, lostByRedis } from "./settle.ts"
import { laneState, type Session } from "./state/collectorRun.ts"
import type { Lane } from "./state/consumedStream.ts"

export const loopName = "keep-alive"

/** Ids in one script call, so that Redis is never busy for long. */
const batch = 256

/** Renews what is owned of a lane: made once for each lane, run again and again. */
const renewLane = (session: Session, lane: Lane): Effect.Effect<void, RedisError> =>
  Effect.gen(function* () {
    const { consumer, ledger, streams } = session
    yield* session.beat(loopName)
    // In a group just created again nothing is this process's own until it has been adopted.
    if (!laneState(session, lane).grouped) return
    const ids = ledger.tasks(lane).map(({ id }) => id)
    for (let at = 0; at < ids.length; at += batch) {
      const { deleted, lost } = yield* streams.renew(lane.key, consumer, ids.slice(at, at + batch))
      for (const id of lost) {
        const task = ledger.get(lane, id)
        // One that was settled meanwhile is not lost: who settles it finds out.
        if (task !== undefined && task.state !== "settling") yield* drop(session, task)
      }
      for (const id of deleted) {
        const task = ledger.get(lane, id)
        if (task !== undefined && task.state !== "settling") yield* lostByRedis(session, task)
      }
    }
  })

/** Renews every owned entry, four times within `CLAIM_IDLE`, and at once when Redis is back. */
export const keepAlive = (session: Session): Effect.Effect<never> =>
  Effect.gen(function* () {
    const everyMs = Math.min(15_000, Duration.toMillis(session.options.claimIdle) / 4)
    const renewals = session.lanes.map((lane) =>
      Effect.matchEffect(renewLane(session, lane), {
        onSuccess: () => Effect.succeed(false),
        onFailure: (error) =>
          // The lane's reader creates a group that is gone.
          redisFailure(error) === "no-group"
            ? Effect.succeed(false)
            : Effect.as(noteFailure(session.link, loopName, error), true)
      })
    )
    let failures = 0
    for (;;) {
      yield* session.beat(loopName)
      const watch = new Watch(session.link.changed)
      let failed = false
      for (const renewal of renewals) if (yield* renewal) failed = true
      if (failed) {
        yield* backoff(failures)
        failures += 1
      } else {
        failures = 0
        yield* watch.wait((yield* Clock.currentTimeMillis) + everyMs)
      }
    }
  })
