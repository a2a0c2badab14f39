/** The entries of a stream, looked through page by page. */
import { Effect, Option, Stream } from "effect"
import { compareIds } from "../../domain/events/streamId.ts"
import type { EventStreams, StreamEntry } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { ReadSize } from "../redis/readSize.ts"

type Streams = EventStreams["Service"]

export type Order = "oldest first" | "newest first"

const page = 1_000

/** The ids beyond which no other can lie. */
const largestId = "18446744073709551615-18446744073709551615"
const ends = { "oldest first": largestId, "newest first": "0-1" }

/** Bounds of a scan, both inclusive: ids, or epoch milliseconds of which every id counts. */
export interface Bounds {
  readonly from?: number | string | undefined
  readonly to?: number | string | undefined
}

const firstOf = (from: number | string | undefined): string => (typeof from === "number" ? `${from}-0` : (from ?? "-"))

const lastOf = (to: number | string | undefined): string | undefined =>
  typeof to === "number" ? `${to}-18446744073709551615` : to

/**
 * The entries of a stream that stand there now, in order or the newest first; what is added meanwhile is left out. No more
 * than a page is held at a time.
 */
export const scanPages = (
  streams: Streams,
  key: string,
  { from, to }: Bounds = {},
  order: Order = "oldest first"
): Stream.Stream<ReadonlyArray<StreamEntry>, EventStreamsError> =>
  Stream.unwrap(
    Effect.map(streams.streamInfo(key), (info) => {
      if (info === undefined) return Stream.empty
      const bounded = lastOf(to)
      const first = firstOf(from)
      const last =
        bounded === undefined || compareIds(info.lastGeneratedId, bounded) < 0 ? info.lastGeneratedId : bounded
      const [start, read] =
        order === "oldest first"
          ? [first, (at: string, count: number) => streams.range(key, at, last, count)]
          : [last, (at: string, count: number) => streams.latest(key, count, { from: first, to: at })]
      const size = new ReadSize()
      return Stream.paginate(start, (at) => {
        const count = size.of(page)
        return Effect.map(read(at, count), (entries) => {
          size.note(entries)
          const end = entries.at(-1)
          // Redis refuses an exclusive bound beyond the largest id, or below the smallest.
          const isEnd = end === undefined || entries.length < count || end.id === ends[order]
          return [[entries], isEnd ? Option.none() : Option.some(`(${end.id}`)] as const
        })
      })
    })
  )

/** The entries of {@link scanPages}, one by one. */
export const scan = (
  streams: Streams,
  key: string,
  bounds: Bounds = {},
  order: Order = "oldest first"
): Stream.Stream<StreamEntry, EventStreamsError> =>
  Stream.flatMap(scanPages(streams, key, bounds, order), Stream.fromIterable)
