/** Removes a user's events from the DLQ and the abandoned stream, and counts what stays elsewhere (contract section 1, `erase`). */
import { Effect, Result, Stream } from "effect"
import { takeMark } from "../../domain/delivery/replayed.ts"
import { eventFields, type FlatFields } from "../../domain/events/entry.ts"
import { type KnownStreams, sourcesOf } from "../../domain/options/knownStreams.ts"
import type { EventStreams, StreamEntry } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { scanPages } from "./scan.ts"

/** A user's entries that stay in a source stream, as producers wrote them. */
export interface Left {
  readonly stream: string
  readonly entries: number
  readonly firstId: string | undefined
  readonly lastId: string | undefined
  /** Outcomes that are kept of them. */
  readonly outcomes: number
}

const userOf = (fields: FlatFields): readonly [user: unknown, eventId: unknown] => {
  const decoded = eventFields(takeMark(fields)?.event ?? fields, JSON.parse)
  if (Result.isSuccess(decoded)) return [decoded.success.values.user_id, decoded.success.values.event_id]
  const at = fields.findIndex((text, i) => i % 2 === 0 && text === "user_id")
  return [at < 0 ? undefined : fields[at + 1], undefined]
}

/** What the source streams still have of a user. */
export const leftInSources = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  sets: ReadonlyArray<KnownStreams>,
  user: string,
  onLook: (looked: number) => Effect.Effect<void>
): Effect.fn.Return<ReadonlyArray<Left>, EventStreamsError> {
  const found: Array<Left> = []
  let looked = 0
  for (const stream of sets.flatMap((set) => sourcesOf(set).map(([, key]) => key))) {
    let left: Left = { stream, entries: 0, firstId: undefined, lastId: undefined, outcomes: 0 }
    const count = Effect.fnUntraced(function* (page: ReadonlyArray<StreamEntry>) {
      looked += page.length
      for (const { fields, id } of page) {
        const [owner, eventId] = userOf(fields)
        if (owner !== user) continue
        const outcome = typeof eventId === "string" ? yield* streams.outcome(stream, eventId) : undefined
        left = {
          stream,
          entries: left.entries + 1,
          firstId: left.firstId ?? id,
          lastId: id,
          outcomes: left.outcomes + (outcome === undefined ? 0 : 1)
        }
      }
      yield* onLook(looked)
    })
    yield* Stream.runForEach(scanPages(streams, stream), count)
    found.push(left)
  }
  return found
})
