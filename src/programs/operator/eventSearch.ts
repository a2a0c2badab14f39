/**
 * Looks for an event in the streams. Where its entry is known that is read, and what the entry names; otherwise the streams are
 * looked through, the newest entries first, for no longer than is let, and it is said how far that was.
 */
import { Clock, Duration, Effect, Stream } from "effect"
import { decodeOutcome } from "../../domain/delivery/outcome.ts"
import { takeMark } from "../../domain/delivery/replayed.ts"
import { eventIdOf } from "../../domain/events/entry.ts"
import { instant } from "../../domain/events/instant.ts"
import { compareIds, timeOfId } from "../../domain/events/streamId.ts"
import { type KnownStreams, sourcesOf } from "../../domain/options/knownStreams.ts"
import type { EventStreams, StreamEntry } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import type { Chapter, SourceState } from "./eventChapters.ts"
import { FailedEntry } from "./failedEntry.ts"
import { abandonedItem, dlqItem } from "./redrive.ts"
import { type Bounds, scanPages } from "./scan.ts"

/** Where an event is looked for. */
export interface Sought {
  readonly streams: EventStreams["Service"]
  readonly group: string
  readonly sets: ReadonlyArray<KnownStreams>
  readonly eventId: string
}

/** The entry of a stream. */
export interface EntryPlace {
  readonly stream: string
  readonly id: string
}

export interface Search {
  /** What of the source streams is looked through. */
  readonly bounds?: Bounds | undefined
  /** Where an entry of it was seen. */
  readonly place?: EntryPlace | undefined
  /** For how long it may look, and then no farther than to the first place; without it, until all was seen. */
  readonly patience?: Duration.Duration | undefined
}

/** How far was looked. */
export interface Searched {
  /** Whether all was seen that the bounds let see. */
  readonly isWhole: boolean
  /** The streams that were looked through, with how many of their entries, and the time of the oldest of those. */
  readonly streams: ReadonlyArray<{
    readonly stream: string
    readonly looked: number
    readonly back: number | undefined
  }>
}

/** How long an event is looked for at first, and in a page when somebody asks to look farther. */
export const patience = { usual: Duration.seconds(1), farther: Duration.seconds(15) }

/** How far was looked, in words, where that was not all. */
export const searchedText = ({ isWhole, streams }: Searched, found: number): string | undefined => {
  if (isWhole) return undefined
  if (streams.length === 0)
    return "Read where its entry was seen or its outcome kept, and where that says it came from; nothing was looked through."
  const looked = streams.map(
    ({ back, looked, stream }) =>
      `the latest ${looked === 1 ? "entry" : `${looked.toLocaleString("en-US")} entries`} of ${stream}` +
      (back === undefined ? "" : ` (back to ${instant(back).slice(0, 19)}Z)`)
  )
  return `Looked at ${looked.join("; ")}${found > 0 ? ", and no farther once it was found" : " before the time was up"}.`
}

/** How far was looked, as it is given to other programs. */
export const lookedValue = ({ streams }: Searched) =>
  streams.map(({ back, looked, stream }) => ({
    stream,
    looked,
    back_to: back === undefined ? null : instant(back)
  }))

type Kind = "source" | "dlq" | "abandoned"

/** In the order of an event's life. */
const order = ["source", "dlq", "abandoned", "outcome"] as const

const sourceChapter = Effect.fnUntraced(function* (
  { group, streams }: Sought,
  stream: string,
  { fields, id }: StreamEntry
): Effect.fn.Return<Chapter, EventStreamsError> {
  const found = yield* Effect.all(
    {
      info: streams.groupInfo(stream, group),
      start: streams.groupStart(stream, group),
      holding: streams.holding(stream, group, id),
      replayed: streams.isReplayed(stream, id)
    },
    { concurrency: "unbounded" }
  )
  const stateOf = (): SourceState => {
    if (found.holding !== undefined) return "pending"
    if (found.info === undefined) return "unread"
    if (compareIds(id, found.info.lastDeliveredId) > 0) return "waiting"
    if (found.start === undefined) return "passed"
    return compareIds(id, found.start) <= 0 ? "skipped" : "acknowledged"
  }
  const { holding, replayed } = found
  const earlier = replayed ? (takeMark(fields)?.replayed.history ?? []) : []
  return { place: "source", stream, id, state: stateOf(), holding, replayed, earlier }
})

/** Asked of each of a great many entries: no effect. */
const isOf = (eventId: string, kind: Kind, stream: string, entry: StreamEntry): boolean =>
  (kind === "source"
    ? eventIdOf(takeMark(entry.fields)?.event ?? entry.fields)
    : new FailedEntry(kind, stream, entry).eventId) === eventId

/** What an entry says of the event; undefined where it does not decode. */
const chapterOf = Effect.fnUntraced(function* (
  sought: Sought,
  kind: Kind,
  stream: string,
  entry: StreamEntry
): Effect.fn.Return<Chapter | undefined, EventStreamsError> {
  const { group, streams } = sought
  const { id } = entry
  if (kind === "source") return yield* sourceChapter(sought, stream, entry)
  if (kind === "dlq") {
    const { retry } = dlqItem(stream, entry)
    if (retry === undefined) return undefined
    return { place: "dlq", stream, id, retry, holding: yield* streams.holding(stream, group, id) }
  }
  const { abandoned, history, replayed } = abandonedItem(stream, entry)
  return abandoned === undefined ? undefined : { place: "abandoned", stream, id, abandoned, history, replayed }
})

/** The streams that are looked through: first those where an event is that somebody asks about. */
const streamsOf = (sets: ReadonlyArray<KnownStreams>): ReadonlyArray<readonly [Kind, string]> => [
  ...sets.map((set) => ["dlq", set.dlq] as const),
  ...sets.map((set) => ["abandoned", set.abandoned] as const),
  ...sets.flatMap((set) => sourcesOf(set).map(([, stream]) => ["source", stream] as const))
]

const outcomes = ({ eventId, sets, streams }: Sought): Effect.Effect<ReadonlyArray<Chapter>, EventStreamsError> =>
  Effect.map(
    Effect.forEach(
      sets.flatMap((set) => [...sourcesOf(set).map(([, stream]) => stream), set.dlq]),
      (stream) =>
        Effect.map(streams.outcome(stream, eventId), (text): ReadonlyArray<Chapter> => {
          const outcome = text === undefined ? undefined : decodeOutcome(text)
          return outcome === undefined ? [] : [{ place: "outcome", stream, outcome }]
        }),
      { concurrency: "unbounded" }
    ),
    (found) => found.flat()
  )

/** The one entry of a place, if it is of the event. */
const readPlace = Effect.fnUntraced(function* (sought: Sought, { id, stream }: EntryPlace) {
  const kind = streamsOf(sought.sets).find(([, key]) => key === stream)?.[0]
  if (kind === undefined) return undefined
  const [entry] = yield* sought.streams.range(stream, id, id, 1)
  return entry !== undefined && isOf(sought.eventId, kind, stream, entry)
    ? yield* chapterOf(sought, kind, stream, entry)
    : undefined
})

/** Where the entries that were found say that the event came from. */
const originsOf = (chapters: ReadonlyArray<Chapter>): ReadonlyArray<EntryPlace> => {
  const named = chapters.flatMap((chapter): ReadonlyArray<EntryPlace> => {
    if (chapter.place === "dlq") return [{ stream: chapter.retry.origin_stream, id: chapter.retry.origin_id }]
    if (chapter.place === "abandoned")
      return [{ stream: chapter.abandoned.origin_stream, id: chapter.abandoned.origin_id }]
    return chapter.place === "outcome" ? [{ stream: chapter.outcome.stream, id: chapter.outcome.id }] : []
  })
  return [...new Map(named.map((place) => [`${place.stream} ${place.id}`, place])).values()]
}

const inOrder = (chapters: ReadonlyArray<Chapter>): ReadonlyArray<Chapter> =>
  chapters.toSorted((a, b) => {
    const places = order.indexOf(a.place) - order.indexOf(b.place)
    return places !== 0 || a.place === "outcome" || b.place === "outcome" ? places : compareIds(a.id, b.id)
  })

export const findEvent = Effect.fnUntraced(function* (
  sought: Sought,
  { bounds = {}, patience, place }: Search
): Effect.fn.Return<{ readonly chapters: ReadonlyArray<Chapter>; readonly searched: Searched }, EventStreamsError> {
  const { sets, streams } = sought
  const kept = yield* outcomes(sought)
  const withOrigins = Effect.fnUntraced(function* (found: ReadonlyArray<Chapter>) {
    const origins = yield* Effect.forEach(originsOf(found), (origin) => readPlace(sought, origin), {
      concurrency: "unbounded"
    })
    return inOrder([...found, ...origins.filter((chapter) => chapter !== undefined)])
  })
  const seen = place === undefined ? undefined : yield* readPlace(sought, place)
  if (seen !== undefined)
    return { chapters: yield* withOrigins([seen, ...kept]), searched: { isWhole: false, streams: [] } }
  const began = yield* Clock.currentTimeMillis
  const until = patience === undefined ? Number.POSITIVE_INFINITY : began + Duration.toMillis(patience)
  const chapters: Array<Chapter> = []
  const looked: Array<Searched["streams"][number]> = []
  let isWhole = true
  for (const [kind, stream] of streamsOf(sets)) {
    // What was found names its origin: that need not be looked for.
    if (patience !== undefined && chapters.length + kept.length > 0) {
      isWhole = false
      break
    }
    let count = 0
    let back: number | undefined
    const pages = scanPages(streams, stream, kind === "source" ? bounds : {}, "newest first")
    yield* Stream.runForEachWhile(
      pages,
      Effect.fnUntraced(function* (page) {
        for (const entry of page) {
          if (!isOf(sought.eventId, kind, stream, entry)) continue
          const chapter = yield* chapterOf(sought, kind, stream, entry)
          if (chapter !== undefined) chapters.push(chapter)
        }
        count += page.length
        const last = page.at(-1)
        if (last !== undefined) back = timeOfId(last.id)
        const goesOn = patience === undefined || (chapters.length === 0 && (yield* Clock.currentTimeMillis) < until)
        if (!goesOn) isWhole = false
        return goesOn
      })
    )
    looked.push({ stream, looked: count, back })
  }
  const found = [...chapters, ...kept]
  return {
    chapters: patience === undefined ? inOrder(found) : yield* withOrigins(found),
    searched: { isWhole, streams: looked }
  }
})
