/** What an operator should know of Redis before anything goes wrong: said once, at start. */
import { Effect } from "effect"
import { shareSlot } from "../../domain/delivery/hashSlot.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { ConsumedStream } from "./state/consumedStream.ts"

/** Streams are data, not a cache: whatever is evicted is lost. */
const adviseEviction = (policy: string | undefined): Effect.Effect<void> =>
  policy === undefined || policy === "noeviction"
    ? Effect.void
    : Effect.logWarning("redis.may_evict").pipe(
        Effect.annotateLogs({
          maxmemory_policy: policy,
          problem: policy.startsWith("allkeys")
            ? "Redis may delete whole streams when its memory is full"
            : "Redis may delete the lease of a consumer name when its memory is full",
          remedy: "set maxmemory-policy to noeviction"
        })
      )

/** In a Cluster a move is one step only where the streams it joins share a hash slot. */
const adviseSlots = (consumedStreams: ReadonlyArray<ConsumedStream>): Effect.Effect<void> =>
  Effect.forEach(
    consumedStreams.filter(({ abandoned, dlq, key }) => !shareSlot([key, dlq, abandoned])),
    ({ abandoned, dlq, key }) =>
      Effect.logWarning("streams.split").pipe(
        Effect.annotateLogs({
          stream: key,
          dlq,
          abandoned,
          problem:
            "in a Redis Cluster these streams lie in different hash slots, so that an event cannot be moved in one step",
          remedy: "give the names of a set one hash tag, such as {modelsgateway}:events:dlq"
        })
      ),
    { discard: true }
  )

/** Looks at how Redis is set up and warns of what may lose events. A Redis that does not tell is no reason to wait. */
export const checkRedisAtStart = (
  streams: EventStreams["Service"],
  consumedStreams: ReadonlyArray<ConsumedStream>
): Effect.Effect<void> =>
  Effect.matchEffect(streams.serverInfo, {
    onFailure: (error) =>
      Effect.logDebug("redis.info_unavailable").pipe(Effect.annotateLogs({ problem: error.message })),
    onSuccess: (info) =>
      Effect.andThen(
        adviseEviction(info.get("maxmemory_policy")),
        info.get("cluster_enabled") === "1" ? adviseSlots(consumedStreams) : Effect.void
      )
  })
