/** What waits in the DLQ or was abandoned: as it is put back or deleted (contract sections 1 and 5). */
import { Clock, Effect, Result, Stream } from "effect"
import {
  type Abandoned,
  decodeAbandonedEntry,
  decodeDlqEntry,
  lastStreamOf,
  type Retry
} from "../../domain/delivery/dlq.ts"
import { earlier, type History } from "../../domain/delivery/history.ts"
import { marked } from "../../domain/delivery/replayed.ts"
import { eventIdOf, type FlatFields } from "../../domain/events/entry.ts"
import { type KnownStreams, sourcesOf } from "../../domain/options/knownStreams.ts"
import type { EventStreams, StreamEntry, Withdrawn } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import type { FailedEntry } from "./failedEntry.ts"

type Streams = EventStreams["Service"]

/** An entry of the abandoned stream; `abandoned` is undefined where it does not decode. */
export interface AbandonedItem {
  readonly stream: string
  readonly id: string
  readonly abandoned: Abandoned | undefined
  readonly event: FlatFields
  readonly eventId: string | undefined
  /** Its attempts, and those made before it was replayed; the oldest first. */
  readonly history: History
  readonly replayed: History
  /** False where the event was too large for all of it to be kept. */
  readonly isWhole: boolean
}

export const abandonedItem = (stream: string, { fields, id }: StreamEntry): AbandonedItem => {
  const decoded = decodeAbandonedEntry(fields)
  if (Result.isFailure(decoded)) {
    const nothing = { abandoned: undefined, eventId: undefined, history: [], replayed: [] }
    return { stream, id, ...nothing, event: fields, isWhole: true }
  }
  const { truncated, ...said } = decoded.success
  return { stream, id, ...said, eventId: eventIdOf(said.event), isWhole: truncated === undefined }
}

/** An entry of the DLQ; `retry` is undefined where it does not decode. */
export interface DlqItem {
  readonly stream: string
  readonly id: string
  readonly retry: Retry | undefined
  readonly event: FlatFields
  readonly eventId: string | undefined
}

export const dlqItem = (stream: string, { fields, id }: StreamEntry): DlqItem => {
  const decoded = decodeDlqEntry(fields)
  if (Result.isFailure(decoded)) return { stream, id, retry: undefined, event: fields, eventId: undefined }
  const { event, retry } = decoded.success
  return { stream, id, retry, event, eventId: eventIdOf(event) }
}

/** How far a replay or a drop has come. */
export interface Progress {
  /** Put back, or deleted. */
  readonly done: number
  /** Gone before it was their turn: another replay, or a drop, was quicker. */
  readonly gone: number
  /** Left where they are: no replay can put them back. */
  readonly unreadable: number
  /** Left where they are: this service is not set to read the stream that they name as their origin. */
  readonly foreignOrigin: number
  /** The first such stream. */
  readonly firstForeign: string | undefined
  /** Of a retry, left alone: due by now, and so perhaps being worked on. */
  readonly alreadyDue: number
  /** Of a retry, left alone: acknowledged, its event has gone on. */
  readonly settled: number
}

export const noProgress: Progress = {
  done: 0,
  gone: 0,
  unreadable: 0,
  foreignOrigin: 0,
  firstForeign: undefined,
  alreadyDue: 0,
  settled: 0
}

/** How many it was the turn of, whatever came of them. */
export const handled = (progress: Progress): number =>
  progress.done + progress.gone + progress.unreadable + progress.foreignOrigin + progress.alreadyDue + progress.settled

export const oneMore = (progress: Progress): Progress => ({ ...progress, done: progress.done + 1 })

/** Texts that a script may unpack are some 8,000 (Lua's stack): an event of half as many is invalid eight times over. */
const mostTexts = 4_000

type Readable = AbandonedItem & { readonly abandoned: Abandoned }

/**
 * An entry that a replay can put back: not one that does not decode, as there is no knowing where it came from, nor one
 * whose event was not kept whole, nor one of so many fields that the script would fail, and with it the replay of all that come after.
 */
const isReadable = (item: AbandonedItem): item is Readable =>
  item.abandoned !== undefined && item.isWhole && item.event.length <= mostTexts

/** What a replay does with an entry: puts it into a stream, or leaves it and why. */
export type Fate =
  | { readonly _tag: "PutBack"; readonly item: Readable; readonly to: string; readonly fields: FlatFields }
  | { readonly _tag: "Unreadable" }
  | { readonly _tag: "ForeignOrigin"; readonly origin: string }

/** The event as it is put back. (An entry put back into the DLQ says itself where it comes from.) */
const markedFields = ({ abandoned: { origin_id, origin_stream }, event, history, replayed }: Readable): FlatFields =>
  marked(event, { source: { stream: origin_stream, id: origin_id }, history: earlier(replayed, history) })

/**
 * Tells the fate of entries. Anybody may have written where an entry came from, so it goes back only into a stream of
 * these sets; into another one where the operator names it.
 */
export const makeFateOf = (sets: ReadonlyArray<KnownStreams>, toStream?: string | undefined) => {
  const dlqs = new Set(sets.map(({ dlq }) => dlq))
  const read = new Set([...dlqs, ...sets.flatMap((set) => sourcesOf(set).map(([, stream]) => stream))])
  return (item: AbandonedItem): Fate => {
    if (!isReadable(item)) return { _tag: "Unreadable" }
    const to = toStream ?? lastStreamOf(item.abandoned)
    if (toStream === undefined && !read.has(to)) return { _tag: "ForeignOrigin", origin: to }
    return { _tag: "PutBack", item, to, fields: dlqs.has(to) ? item.event : markedFields(item) }
  }
}

/** Counts an entry that is left where it is. */
export const leave = (progress: Progress, fate: Exclude<Fate, { readonly _tag: "PutBack" }>): Progress =>
  fate._tag === "Unreadable"
    ? { ...progress, unreadable: progress.unreadable + 1 }
    : {
        ...progress,
        foreignOrigin: progress.foreignOrigin + 1,
        firstForeign: progress.firstForeign ?? fate.origin
      }

/**
 * Puts abandoned events back at their streams' ends, at most `rate` a second. Each is one step in Redis, and an
 * interruption waits for the step under way: a replay that was stopped, or died, is resumed by running it again.
 */
export const replay = <E>(
  streams: Streams,
  items: Stream.Stream<AbandonedItem, E>,
  rate: number,
  fateOf: ReturnType<typeof makeFateOf>,
  onStep: (progress: Progress) => Effect.Effect<void>,
  onPutBack: (item: AbandonedItem, to: string, newId: string) => void = () => {}
): Effect.Effect<Progress, E | EventStreamsError> =>
  Effect.gen(function* () {
    const started = yield* Clock.currentTimeMillis
    let progress = noProgress
    let steps = 0
    yield* Stream.runForEach(
      items,
      Effect.fnUntraced(function* (item) {
        const due = started + (steps * 1_000) / rate
        const wait = due - (yield* Clock.currentTimeMillis)
        if (wait > 0) yield* Effect.sleep(wait)
        steps += 1
        const fate = fateOf(item)
        if (fate._tag !== "PutBack") {
          progress = leave(progress, fate)
          return yield* onStep(progress)
        }
        const { id, stream } = fate.item
        // Done and counted, or neither.
        yield* Effect.uninterruptible(
          Effect.flatMap(streams.replay(stream, id, fate.to, fate.fields), (newId) => {
            if (newId !== undefined) onPutBack(fate.item, fate.to, newId)
            progress =
              newId === undefined ? { ...progress, gone: progress.gone + 1 } : { ...progress, done: progress.done + 1 }
            return onStep(progress)
          })
        )
      })
    )
    return progress
  })

/** Counts what became of an entry of the DLQ that was to be taken out of it. */
const withdrawn = (progress: Progress, outcome: Withdrawn): Progress => {
  switch (outcome) {
    case "done":
      return oneMore(progress)
    case "gone":
      return { ...progress, gone: progress.gone + 1 }
    case "settled":
      return { ...progress, settled: progress.settled + 1 }
    case "due":
      return { ...progress, alreadyDue: progress.alreadyDue + 1 }
  }
}

/**
 * So long before it is due an entry is left to whoever holds it, in milliseconds: clocks of two machines differ, and by its own
 * the holder may have begun.
 */
const dueSoonMs = 5_000

/** What a retry at once would do with an entry of the DLQ. */
const retryFate = (entry: FailedEntry, now: number): "Retry" | "Unreadable" | "Due" => {
  const { retry } = dlqItem(entry.stream, entry)
  if (retry === undefined) return "Unreadable"
  return retry.not_before <= now + dueSoonMs ? "Due" : "Retry"
}

/** An entry's fields with another time at which it is due, all else as it is. */
const dueAt = ({ fields }: FailedEntry, time: number): FlatFields =>
  fields.map((text, at) =>
    at % 2 === 1 && fields[at - 1] === "retry" ? JSON.stringify({ ...JSON.parse(text), not_before: time }) : text
  )

/** Counts an entry of the DLQ as {@link retryNow} would. */
export const rehearseRetry = (progress: Progress, entry: FailedEntry, now: number): Progress => {
  const fate = retryFate(entry, now)
  if (fate === "Unreadable") return { ...progress, unreadable: progress.unreadable + 1 }
  return withdrawn(progress, fate === "Due" ? "due" : "done")
}

/** Makes entries of the DLQ due at once: a copy takes the place of each, unless somebody may be working on it. */
export const retryNow = Effect.fnUntraced(function* <E>(
  streams: Streams,
  group: string,
  entries: Stream.Stream<FailedEntry, E>,
  onStep: (progress: Progress) => Effect.Effect<void>
): Effect.fn.Return<Progress, E | EventStreamsError> {
  let progress = noProgress
  yield* Stream.runForEach(entries, (entry) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (retryFate(entry, now) !== "Retry") {
        progress = rehearseRetry(progress, entry, now)
        return onStep(progress)
      }
      const copy = { fields: dueAt(entry, now), until: (entry.said?.notBefore ?? now) - dueSoonMs }
      return Effect.uninterruptible(
        Effect.flatMap(streams.withdraw(entry.stream, group, entry.id, copy), (outcome) => {
          progress = withdrawn(progress, outcome)
          return onStep(progress)
        })
      )
    })
  )
  return progress
})

/** Deletes entries of the DLQ for good. What is being delivered just now ends as it ends, and is not tried again. */
export const dropRetries = Effect.fnUntraced(function* <E>(
  streams: Streams,
  group: string,
  entries: Stream.Stream<Pick<FailedEntry, "stream" | "id">, E>,
  onStep: (progress: Progress) => Effect.Effect<void>
): Effect.fn.Return<Progress, E | EventStreamsError> {
  let progress = noProgress
  yield* Stream.runForEach(entries, ({ id, stream }) =>
    Effect.uninterruptible(
      Effect.flatMap(streams.withdraw(stream, group, id), (outcome) => {
        progress = withdrawn(progress, outcome)
        return onStep(progress)
      })
    )
  )
  return progress
})

/** Deletes abandoned entries for good, readable or not. */
export const drop = <E>(
  streams: Streams,
  items: Stream.Stream<Pick<AbandonedItem, "stream" | "id">, E>,
  onStep: (progress: Progress) => Effect.Effect<void>
): Effect.Effect<Progress, E | EventStreamsError> =>
  Effect.gen(function* () {
    let progress = noProgress
    yield* Stream.runForEach(items, ({ id, stream }) =>
      Effect.uninterruptible(
        Effect.flatMap(streams.remove(stream, [id]), (removed) => {
          progress = removed === 0 ? { ...progress, gone: progress.gone + 1 } : { ...progress, done: progress.done + 1 }
          return onStep(progress)
        })
      )
    )
    return progress
  })
