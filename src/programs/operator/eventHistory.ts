/** An event's story, from what Redis holds of it (contract section 1, `why`). */
import { Clock, Effect, Stream } from "effect"
import type { Abandoned, Retry } from "../../domain/delivery/dlq.ts"
import { claimedEventId } from "../../domain/events/entry.ts"
import { compareIds } from "../../domain/events/streamId.ts"
import type { StreamSet } from "../../domain/options/options.ts"
import type { EventStreams, Holding } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { abandonedItem, type Bounds, dlqItem, scan } from "./redrive.ts"

/** What was found of an event in one place. */
export type Chapter =
  | {
      readonly place: "source"
      readonly stream: string
      readonly id: string
      /** `waiting`: not read yet. `pending`: being worked on, or its owner is gone. `ended`: acknowledged. */
      readonly state: "waiting" | "pending" | "ended"
      readonly holding: Holding | undefined
      readonly replayed: boolean
    }
  | {
      readonly place: "dlq"
      readonly stream: string
      readonly id: string
      readonly retry: Retry
      readonly holding: Holding | undefined
    }
  | { readonly place: "abandoned"; readonly stream: string; readonly id: string; readonly abandoned: Abandoned }

export interface Story {
  readonly eventId: string
  readonly chapters: ReadonlyArray<Chapter>
  readonly verdict: string
}

type Streams = EventStreams["Service"]

const inSource = (streams: Streams, group: string, stream: string, eventId: string, bounds: Bounds) =>
  Effect.gen(function* () {
    const info = yield* streams.groupInfo(stream, group)
    return scan(streams, stream, bounds).pipe(
      Stream.filter(({ fields }) => claimedEventId(fields) === eventId),
      Stream.mapEffect(({ id }) =>
        Effect.gen(function* () {
          const holding = yield* streams.holding(stream, group, id)
          const read = info !== undefined && compareIds(id, info.lastDeliveredId) <= 0
          const state = holding !== undefined ? "pending" : read ? "ended" : "waiting"
          const replayed = yield* streams.isReplayed(stream, id)
          return { place: "source", stream, id, state, holding, replayed } as const satisfies Chapter
        })
      )
    )
  }).pipe(Stream.unwrap)

const inDlq = (streams: Streams, group: string, stream: string, eventId: string) =>
  scan(streams, stream).pipe(
    Stream.map((entry) => dlqItem(stream, entry)),
    Stream.filter((item) => item.eventId === eventId),
    Stream.mapEffect(({ id, retry }) =>
      Effect.map(
        streams.holding(stream, group, id),
        (holding): ReadonlyArray<Chapter> => (retry === undefined ? [] : [{ place: "dlq", stream, id, retry, holding }])
      )
    ),
    Stream.flatMap(Stream.fromIterable)
  )

const inAbandoned = (streams: Streams, stream: string, eventId: string) =>
  scan(streams, stream).pipe(
    Stream.map((entry) => abandonedItem(stream, entry)),
    Stream.filter((item) => item.eventId === eventId),
    Stream.flatMap(
      ({ abandoned, id }): Stream.Stream<Chapter> =>
        abandoned === undefined ? Stream.empty : Stream.succeed({ place: "abandoned", stream, id, abandoned })
    )
  )

/** What the chapters come to, the latest first. */
const verdictOf = (chapters: ReadonlyArray<Chapter>, now: number): string => {
  const abandoned = chapters.findLast((chapter) => chapter.place === "abandoned")
  const dlq = chapters.findLast((chapter) => chapter.place === "dlq")
  const source = chapters.findLast((chapter) => chapter.place === "source")
  if (source?.state === "waiting") return "it waits to be read"
  if (source?.state === "pending") {
    const { holding } = source
    return `it is in the hands of ${holding?.consumer} since ${Math.round((holding?.idle ?? 0) / 1_000)} s, handed out ${holding?.deliveries} times`
  }
  if (dlq !== undefined) {
    const { attempt, error_code, not_before } = dlq.retry
    const when = not_before > now ? `in ${Math.ceil((not_before - now) / 1_000)} s` : "now, or when the circuit closes"
    return `attempt ${attempt} failed with ${error_code}; the next is due ${when}`
  }
  if (abandoned !== undefined) {
    const { error_code, reason } = abandoned.abandoned
    return `it was given up as ${reason} (${error_code}); "abandoned replay ${abandoned.id}" puts it back`
  }
  return source === undefined
    ? "Redis has nothing of it: it was delivered and its entry trimmed or deleted, it is older than was looked at, or it never came"
    : "it was acknowledged: delivered, or given up and since dropped"
}

/** Looks for an event in every stream; of the source streams only entries within the bounds are looked at. */
export const tell = (
  streams: Streams,
  group: string,
  sets: ReadonlyArray<StreamSet>,
  eventId: string,
  bounds: Bounds
): Effect.Effect<Story, EventStreamsError> =>
  Effect.gen(function* () {
    const chapters = yield* Stream.fromIterable(sets).pipe(
      Stream.flatMap(
        (set): Stream.Stream<Chapter, EventStreamsError> =>
          inSource(streams, group, set.transcribe, eventId, bounds).pipe(
            Stream.concat(inSource(streams, group, set.process, eventId, bounds)),
            Stream.concat(inDlq(streams, group, set.dlq, eventId)),
            Stream.concat(inAbandoned(streams, set.abandoned, eventId))
          )
      ),
      Stream.runCollect
    )
    return { eventId, chapters, verdict: verdictOf(chapters, yield* Clock.currentTimeMillis) }
  })
