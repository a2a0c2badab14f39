/** Entries that are this process's own no more: another consumer took them over, or Redis lost them. */
import { Effect, Metric } from "effect"
import * as Metrics from "../../services/Metrics.ts"
import { logEntry } from "./logEntry.ts"
import type { RunDeliveries, RunRedis } from "./state/collectorRun.ts"
import type { ConsumedStream } from "./state/consumedStream.ts"
import type { OwnedEntry } from "./state/ownedEntry.ts"

/** Counts and logs an entry that Redis no longer has although nobody ended it. */
export const noteDeleted = (run: RunRedis, stream: ConsumedStream, id: string): Effect.Effect<void> =>
  Effect.andThen(
    Metric.update(Metrics.lostByRedis("deleted"), 1),
    logEntry(run, "entry.lost_by_redis", Effect.logError, { cause: "deleted", stream: stream.key, entry_id: id })
  )

/** Drops an entry that is another consumer's by now, or nobody's. */
export const drop = (run: RunRedis & RunDeliveries, entry: OwnedEntry): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { ownership } = entry
    run.owned.remove(entry)
    run.partitions.giveBack(entry)
    entry.ownership = "dropped"
    if (ownership === "dropped") return Effect.void
    if (ownership === "deleted") return noteDeleted(run, entry.stream, entry.id)
    return Effect.andThen(
      Metric.update(Metrics.ownershipLost, 1),
      logEntry(run, "entry.ownership_lost", Effect.logWarning, { stream: entry.stream.key, entry_id: entry.id })
    )
  })

/** Drops an entry that Redis no longer has. */
export const dropDeleted = (run: RunRedis & RunDeliveries, entry: OwnedEntry): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (entry.ownership === "owned") entry.ownership = "deleted"
    return drop(run, entry)
  })

/** Takes in that Redis has lost an entry: the event is lost, unless its delivery is under way and succeeds. */
export const lostByRedis = (run: RunRedis & RunDeliveries, entry: OwnedEntry): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (entry.state._tag === "Held" || entry.state._tag === "Waiting") return dropDeleted(run, entry)
    if (entry.ownership === "owned") entry.ownership = "deleted"
    run.owned.remove(entry)
    return Effect.void
  })
