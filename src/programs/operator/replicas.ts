/** The replicas that run, and what they all counted by the minute: as they tell it themselves in Redis. */
import { Clock, Effect } from "effect"
import { hourOf, hoursBetween, type Minute, minutesKeptMs, minutesOf } from "../../domain/replicas/minutes.ts"
import { type ReplicaFigures, replicaFiguresOf } from "../../domain/replicas/replicaFigures.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"

/** Whose replicas: a group's, which tell of themselves beside a stream. */
export interface Observed {
  readonly streams: EventStreams["Service"]
  readonly stream: string
  readonly group: string
}

/** The replicas that run, by consumer name, and how many run that tell in a way that is not understood. */
export const replicas = ({
  group,
  stream,
  streams
}: Observed): Effect.Effect<
  { readonly replicas: ReadonlyArray<ReplicaFigures>; readonly unreadable: number },
  EventStreamsError
> =>
  Effect.map(streams.replicas(stream, group), (texts) => {
    const known = texts.flatMap((text) => replicaFiguresOf(text) ?? [])
    return { replicas: known, unreadable: texts.length - known.length }
  })

/** The minutes since a time, a day ago at most, in order; those in which nothing happened are left out. */
export const minutes = Effect.fnUntraced(function* (
  { group, stream, streams }: Observed,
  since: number
): Effect.fn.Return<ReadonlyArray<Minute>, EventStreamsError> {
  const now = yield* Clock.currentTimeMillis
  const from = Math.max(since, now - minutesKeptMs)
  const hours = yield* Effect.forEach(
    hoursBetween(from, now),
    (hour) => Effect.map(streams.countsOf(stream, group, hourOf(hour)), (fields) => minutesOf(hour, fields)),
    { concurrency: "unbounded" }
  )
  return hours.flat().filter(({ at }) => at + 60_000 > from)
})
