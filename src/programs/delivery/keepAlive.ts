/** Keeps everything this process owns from being taken over, and finds out what it owns no more. */
import { Duration, Effect, identity } from "effect"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { Waiter } from "../redis/changeSignal.ts"
import { noteFailure } from "../redis/retryRedis.ts"
import { redisAway, retryForever } from "../redis/schedules.ts"
import { nextBeat, repeatSteps, step } from "../supervision/loop.ts"
import { drop, lostByRedis } from "./lostEntries.ts"
import { type CollectorRun, streamState } from "./state/collectorRun.ts"
import type { ConsumedStream } from "./state/consumedStream.ts"

export const loopName = "keep-alive"

/** Ids in one script call, so that Redis is never busy for long. */
const batch = 256

/** Renews what is owned of a stream: made once for each stream, run again and again. */
const renewStream = Effect.fnUntraced(function* (
  run: CollectorRun,
  stream: ConsumedStream
): Effect.fn.Return<void, EventStreamsError> {
  const { consumer, owned, streams } = run
  // In a group just created again nothing is this process's own until it has been adopted.
  if (!streamState(run, stream).groupAdopted) return
  const ids = owned.entries(stream).map(({ id }) => id)
  for (let at = 0; at < ids.length; at += batch) {
    const { deleted, lost } = yield* streams.renew(stream.key, consumer, ids.slice(at, at + batch))
    for (const id of lost) {
      const entry = owned.get(stream, id)
      // One that was settled meanwhile is not lost: who settles it finds out.
      if (entry !== undefined && entry.state._tag !== "Settling") yield* drop(run, entry)
    }
    for (const id of deleted) {
      const entry = owned.get(stream, id)
      if (entry !== undefined && entry.state._tag !== "Settling") yield* lostByRedis(run, entry)
    }
  }
})

/** Renews every owned entry, four times within `CLAIM_IDLE`, and at once when Redis is back. */
export const keepAlive = (run: CollectorRun): Effect.Effect<never> =>
  Effect.suspend(() => {
    const everyMs = Math.min(15_000, Duration.toMillis(run.options.claimIdle) / 4)
    const renewals = run.consumedStreams.map((stream) =>
      step(renewStream(run, stream)).pipe(
        // The stream's reader creates a group that is gone.
        Effect.catchReason("EventStreamsError", "NoGroup", () => Effect.void),
        Effect.tapError((error) => noteFailure(run.availability, loopName, error))
      )
    )
    const renewal = Effect.suspend(() => {
      const waiter = new Waiter(run.availability.changed)
      // Every stream's, whatever becomes of the others.
      return Effect.as(Effect.validate(renewals, identity, { discard: true }), waiter)
    })
    const pause = (waiter: Waiter) => Effect.flatMap(nextBeat(everyMs), (beat) => waiter.wait(beat))
    return repeatSteps(Effect.flatMap(retryForever(renewal, redisAway), pause))
  })
