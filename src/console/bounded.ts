/** What could take long, so far as it is let: an event's story, and a page of the audit. */
import { Clock, Duration, Effect, Stream } from "effect"
import { idBefore, isEntryId } from "../domain/events/streamId.ts"
import { tell } from "../programs/operator/eventHistory.ts"
import { type EntryPlace, patience } from "../programs/operator/eventSearch.ts"
import { scan } from "../programs/operator/scan.ts"
import { SelectionError } from "../programs/operator/selection.ts"
import { auditKey } from "../services/EventStreams.ts"
import { controlledOf, Served } from "./served.ts"

/** An event's story: from where its entry was seen, if that is known; else of the source streams what came within a span. */
export const storyOf = Effect.fnUntraced(function* (
  eventId: string,
  {
    place,
    wait = patience.usual,
    within
  }: {
    readonly within: Duration.Duration
    readonly place?: EntryPlace | undefined
    readonly wait?: Duration.Duration
  }
) {
  const { group, sets, streams } = yield* Served
  const from = Math.max(0, (yield* Clock.currentTimeMillis) - Duration.toMillis(within))
  return yield* tell(streams, group, sets, eventId, { bounds: { from }, place, patience: wait })
})

/** Where an entry was seen, as a link has it; undefined where it names none. */
export const placeIn = (stream: string | undefined, id: string | undefined): EntryPlace | undefined =>
  stream !== undefined && id !== undefined && isEntryId(id) ? { stream, id } : undefined

/** The changes before a cursor, the latest first. */
export const auditPage = Effect.fnUntraced(function* (cursor: string | undefined, limit: number) {
  const { stream, streams } = controlledOf(yield* Served)
  if (cursor !== undefined && !isEntryId(cursor))
    return yield* new SelectionError({ problem: "cursor: must be one that a page before gave" })
  const before = cursor === undefined ? undefined : idBefore(cursor)
  const entries =
    before === "-"
      ? []
      : yield* scan(streams, auditKey(stream), { to: before }, "newest first").pipe(
          Stream.take(limit),
          Stream.runCollect
        )
  return { entries, next: entries.length < limit ? undefined : entries.at(-1)?.id }
})
