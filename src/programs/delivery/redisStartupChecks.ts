/** What an operator should know of Redis before anything goes wrong: said once, at start. */
import { Effect } from "effect"
import { shareSlot } from "../../domain/delivery/hashSlot.ts"
import type { CollectorOptions } from "../../domain/options/options.ts"
import type { EventStreams, Permission } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { servicePermissions } from "../../services/permissions.ts"
import { leaseStream } from "./lease.ts"
import { type ConsumedStream, consumedStreamsOf, isDlq } from "./state/consumedStream.ts"

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

/** What the user of a collector's connection may not do and must. */
export const missingPermissions = (
  streams: EventStreams["Service"],
  options: Pick<
    CollectorOptions,
    | "builtInKinds"
    | "kinds"
    | "streams"
    | "consumerGroup"
    | "consumerName"
    | "sourceRetention"
    | "outcomeRetention"
    | "alerts"
  >
): Effect.Effect<ReadonlyArray<Permission>, EventStreamsError> => {
  const consumed = consumedStreamsOf(options)
  return streams.missingPermissions(
    servicePermissions({
      sources: consumed.filter((stream) => !isDlq(stream)).map(({ key }) => key),
      dlqs: options.streams.map(({ dlq }) => dlq),
      abandoned: options.streams.map(({ abandoned }) => abandoned),
      first: leaseStream(consumed),
      consumer: { group: options.consumerGroup, name: options.consumerName },
      trims: options.sourceRetention !== "none",
      outcomes: options.outcomeRetention !== "none",
      alerts: options.alerts !== undefined,
      rated: options.kinds.flatMap(({ name, rateLimit, stream = name }) => (rateLimit === undefined ? [] : [stream]))
    })
  )
}

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
