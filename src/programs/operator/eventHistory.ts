/** An event's story, from what Redis holds of it (contract section 1, `why`). */
import { Clock, Effect, Stream } from "effect"
import type { Abandoned, Retry } from "../../domain/delivery/dlq.ts"
import type { History } from "../../domain/delivery/history.ts"
import { decodeOutcome, type Outcome } from "../../domain/delivery/outcome.ts"
import { takeMark } from "../../domain/delivery/replayed.ts"
import { eventIdOf } from "../../domain/events/entry.ts"
import { instant } from "../../domain/events/instant.ts"
import { compareIds } from "../../domain/events/streamId.ts"
import { type KnownStreams, sourcesOf } from "../../domain/options/knownStreams.ts"
import type { EventStreams, Holding } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { abandonedItem, dlqItem } from "./redrive.ts"
import { type Bounds, scan } from "./scan.ts"

/**
 * What Redis says of an entry in a source stream:
 * - `waiting`: the group has not read it yet
 * - `unread`: there is no such group
 * - `pending`: read and not acknowledged: being worked on, or its owner is gone
 * - `acknowledged`: read and acknowledged; how it ended Redis does not say
 * - `skipped`: it lies before the group's start: the group never read it
 * - `passed`: acknowledged or skipped, as nobody kept where the group started
 */
export type SourceState = "waiting" | "unread" | "pending" | "acknowledged" | "skipped" | "passed"

/** What was found of an event in one place. */
export type Chapter =
  | Kept
  | {
      readonly place: "source"
      readonly stream: string
      readonly id: string
      readonly state: SourceState
      readonly holding: Holding | undefined
      readonly replayed: boolean
      /** The attempts made before it was replayed, the oldest first. */
      readonly earlier: History
    }
  | {
      readonly place: "dlq"
      readonly stream: string
      readonly id: string
      readonly retry: Retry
      readonly holding: Holding | undefined
    }
  | {
      readonly place: "abandoned"
      readonly stream: string
      readonly id: string
      readonly abandoned: Abandoned
      readonly history: History
      readonly replayed: History
    }

/** What was kept of an event's end. */
interface Kept {
  readonly place: "outcome"
  /** Where it was acknowledged. */
  readonly stream: string
  readonly outcome: Outcome
}

export interface Story {
  readonly eventId: string
  readonly chapters: ReadonlyArray<Chapter>
  readonly verdict: string
}

type Streams = EventStreams["Service"]

const inSource = Effect.fnUntraced(function* (
  streams: Streams,
  group: string,
  stream: string,
  eventId: string,
  bounds: Bounds
) {
  const info = yield* streams.groupInfo(stream, group)
  const start = yield* streams.groupStart(stream, group)
  const stateOf = (id: string, isPending: boolean): SourceState => {
    if (isPending) return "pending"
    if (info === undefined) return "unread"
    if (compareIds(id, info.lastDeliveredId) > 0) return "waiting"
    if (start === undefined) return "passed"
    return compareIds(id, start) <= 0 ? "skipped" : "acknowledged"
  }
  return scan(streams, stream, bounds).pipe(
    Stream.map(({ fields, id }) => ({ id, fields, mark: takeMark(fields) })),
    Stream.filter(({ fields, mark }) => eventIdOf(mark?.event ?? fields) === eventId),
    Stream.mapEffect(
      Effect.fnUntraced(function* ({ id, mark }) {
        const holding = yield* streams.holding(stream, group, id)
        const state = stateOf(id, holding !== undefined)
        const replayed = yield* streams.isReplayed(stream, id)
        const earlier = replayed ? (mark?.replayed.history ?? []) : []
        return { place: "source", stream, id, state, holding, replayed, earlier } as const satisfies Chapter
      })
    )
  )
}, Stream.unwrap)

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
      ({ abandoned, history, id, replayed }): Stream.Stream<Chapter> =>
        abandoned === undefined
          ? Stream.empty
          : Stream.succeed({ place: "abandoned", stream, id, abandoned, history, replayed })
    )
  )

const inOutcomes = (streams: Streams, set: KnownStreams, eventId: string) =>
  Stream.fromIterable([...sourcesOf(set).map(([, stream]) => stream), set.dlq]).pipe(
    Stream.mapEffect((stream) =>
      Effect.map(streams.outcome(stream, eventId), (text): ReadonlyArray<Chapter> => {
        const outcome = text === undefined ? undefined : decodeOutcome(text)
        return outcome === undefined ? [] : [{ place: "outcome", stream, outcome }]
      })
    ),
    Stream.flatMap(Stream.fromIterable)
  )

const sourceVerdicts: Readonly<Record<Exclude<SourceState, "pending">, string>> = {
  waiting: "it is waiting to be read",
  unread: "it is not read: the consumer group does not exist yet, and will start at GROUP_START_ID",
  acknowledged: "it was acknowledged; no outcome was kept: it was delivered, or abandoned and since dropped",
  skipped: "it was skipped: it lies before the start of the consumer group, which never read it",
  passed:
    "the consumer group is past it; Redis does not say whether it was acknowledged or skipped when the group was created"
}

/** The only rules that a replay does not apply again. */
const firstReadingOnly = /EVENT_MAX_(?:AGE|SKEW)/

const abandonedVerdict = (id: string, { error_code, error_message, reason }: Abandoned): string => {
  const said = `it was abandoned as ${reason} (${error_code})`
  return reason === "invalid" && !firstReadingOnly.test(error_message)
    ? `${said}; a replay would fail the same way: the producer must send it again, corrected`
    : `${said}; \`abandoned replay ${id}\` puts it back`
}

const deliveredVerdict = ({ at, attempts, credits, job_id }: Outcome): string =>
  `it was delivered ${instant(at)} at attempt ${attempts}: job ${job_id ?? "unknown"}, ${
    credits === null ? "the API did not say how many credits" : `${credits} credits`
  }`

const seconds = (millis: number): string => `${Math.max(0, Math.ceil(millis / 1_000))} s`

/** What the chapters come to, the latest first. */
const verdictOf = (chapters: ReadonlyArray<Chapter>, now: number): string => {
  const abandoned = chapters.findLast((chapter) => chapter.place === "abandoned")
  const dlq = chapters.findLast((chapter) => chapter.place === "dlq")
  const source = chapters.findLast((chapter) => chapter.place === "source")
  if (source?.state === "pending") {
    const { consumer, deliveries, idle } = source.holding ?? { consumer: "unknown", deliveries: 0, idle: 0 }
    return `it is held by ${consumer}, last renewed ${seconds(idle)} ago, handed out ${deliveries} times`
  }
  if (source?.state === "waiting") return sourceVerdicts.waiting
  if (dlq !== undefined) {
    const { attempt, error_code, not_before } = dlq.retry
    const due = not_before > now ? `due in ${seconds(not_before - now)}` : `overdue by ${seconds(now - not_before)}`
    return `attempt ${attempt} failed with ${error_code}; the next one is ${due}`
  }
  const [outcome] = chapters
    .flatMap((chapter) => (chapter.place === "outcome" ? [chapter.outcome] : []))
    .toSorted((a, b) => b.at - a.at)
  if (outcome !== undefined && outcome.at >= (abandoned?.abandoned.abandoned_at ?? 0)) return deliveredVerdict(outcome)
  if (abandoned !== undefined) return abandonedVerdict(abandoned.id, abandoned.abandoned)
  return source === undefined
    ? "nothing is known of it: it was never sent, or is older than the search, or its entry was trimmed or deleted"
    : sourceVerdicts[source.state]
}

/** Looks for an event in every stream; of the source streams only entries within the bounds are looked at. */
export const tell = Effect.fnUntraced(function* (
  streams: Streams,
  group: string,
  sets: ReadonlyArray<KnownStreams>,
  eventId: string,
  bounds: Bounds
): Effect.fn.Return<Story, EventStreamsError> {
  const chapters = yield* Stream.fromIterable(sets).pipe(
    Stream.flatMap(
      (set): Stream.Stream<Chapter, EventStreamsError> =>
        Stream.fromIterable(sourcesOf(set)).pipe(
          Stream.flatMap(([, stream]) => inSource(streams, group, stream, eventId, bounds)),
          Stream.concat(inDlq(streams, group, set.dlq, eventId)),
          Stream.concat(inAbandoned(streams, set.abandoned, eventId)),
          Stream.concat(inOutcomes(streams, set, eventId))
        )
    ),
    Stream.runCollect
  )
  return { eventId, chapters, verdict: verdictOf(chapters, yield* Clock.currentTimeMillis) }
})
