/** What a consumer group passes over where it starts. */
import { Effect } from "effect"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { readPages } from "./readSize.ts"

/** So many are counted one by one. */
const mostCounted = 100

/** How many entries lie before a group's start, `0`, `$` or an id; where they are many, only that there are `more`. */
export const entriesBefore = (
  streams: EventStreams["Service"],
  stream: string,
  startId: string
): Effect.Effect<{ readonly count: number; readonly more: boolean }, EventStreamsError> => {
  if (startId === "$") {
    return Effect.map(streams.streamInfo(stream), (info) => ({ count: info?.length ?? 0, more: false }))
  }
  if (startId === "0") return Effect.succeed({ count: 0, more: false })
  return Effect.suspend(() => {
    let left = mostCounted + 1
    return readPages(
      "-",
      (from, count) => streams.range(stream, from, startId, Math.min(count, left)),
      (entries) => {
        left -= entries.length
        // Redis refuses to go on behind the largest id.
        return left === 0 || entries.at(-1)?.id === startId
      }
    ).pipe(Effect.map(() => ({ count: Math.min(mostCounted + 1 - left, mostCounted), more: left === 0 })))
  })
}
