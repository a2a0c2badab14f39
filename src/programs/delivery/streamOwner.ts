/**
 * The DLQ and the abandoned stream belong to one consumer group: two would deliver and delete each other's retries. Every
 * replica of a group renews the group's claim on them; another group that finds a claim does not start.
 */
import { Effect, Schema } from "effect"
import type { CollectorOptions, StreamSet } from "../../domain/options/options.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"

/** Another consumer group is at work on this collector's DLQ or abandoned stream. */
export class StreamTaken extends Schema.TaggedError<StreamTaken>()("StreamTaken", {
  stream: Schema.String,
  group: Schema.String
}) {
  override get message(): string {
    return (
      `The consumer group ${this.group} is at work on ${this.stream}, which belongs to one group: each would deliver and ` +
      "delete the other's retries. Set STREAM_DLQ and STREAM_ABANDONED to streams of this service's own, or " +
      `CONSUMER_GROUP to ${this.group} if both are replicas of one service.`
    )
  }
}

/** A claim lapses this long after its last renewal, in milliseconds: three rounds of housekeeping. */
const claimTtlMs = 90_000

/** A consumer of a program that makes no claim counts as gone when it has asked for nothing for so long. */
const goneAfterMs = 60_000

type Options = Pick<CollectorOptions, "streams" | "consumerGroup">

const ownStreams = (sets: ReadonlyArray<StreamSet>): ReadonlyArray<string> =>
  sets.flatMap(({ abandoned, dlq }) => [dlq, abandoned])

const activeReader = Effect.fnUntraced(function* (streams: EventStreams["Service"], stream: string, own: string) {
  // A key that holds something else has no groups; whoever uses it says what is wrong.
  const groups = yield* Effect.catchReason(streams.groupNames(stream), "EventStreamsError", "WrongType", () =>
    Effect.succeed([])
  )
  for (const group of groups.filter((name) => name !== own)) {
    const consumers = yield* Effect.catchReason(streams.consumers(stream, group), "EventStreamsError", "NoGroup", () =>
      Effect.succeed([])
    )
    if (consumers.some(({ idle }) => idle < goneAfterMs)) return group
  }
  return undefined
})

/** Another group that is at work on a stream of this collector's own; undefined where there is none. Only reads. */
export const foreignGroup = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  { consumerGroup, streams: sets }: Options
): Effect.fn.Return<StreamTaken | undefined, EventStreamsError> {
  for (const stream of ownStreams(sets)) {
    const owner = yield* streams.streamOwner(stream)
    const group =
      owner !== undefined && owner !== consumerGroup ? owner : yield* activeReader(streams, stream, consumerGroup)
    if (group !== undefined) return new StreamTaken({ stream, group })
  }
  return undefined
})

/** Claims the streams for the group, or renews its claim: the group that has one already, undefined where none has. */
export const claimStreams = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  { consumerGroup, streams: sets }: Options
): Effect.fn.Return<StreamTaken | undefined, EventStreamsError> {
  for (const stream of ownStreams(sets)) {
    if (yield* streams.claimStream(stream, consumerGroup, claimTtlMs)) continue
    const group = yield* streams.streamOwner(stream)
    if (group !== undefined && group !== consumerGroup) return new StreamTaken({ stream, group })
  }
  return undefined
})
