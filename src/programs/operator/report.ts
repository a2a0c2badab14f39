/** An incident on one page: how many failed, of whom, from when to when, and what became of them (contract section 1, `report`). */
import { Effect, Stream } from "effect"
import { type AuditRecord, auditRecordOf } from "../../domain/audit/auditRecord.ts"
import { auditKey, type EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import type { Place } from "./failedEntry.ts"
import { type Group, Grouped, type Grouping, groupings } from "./groups.ts"
import { scan } from "./scan.ts"
import { type OnLook, pagesOf, type Selection, type Source } from "./selection.ts"

export interface Report {
  readonly abandoned: number
  readonly waiting: number
  /** Epoch milliseconds; undefined where nothing failed. */
  readonly first: number | undefined
  readonly last: number | undefined
  readonly groups: Readonly<Record<Grouping, ReadonlyArray<Group>>>
  /** What operators did since the first of them, oldest first. */
  readonly acts: ReadonlyArray<AuditRecord>
}

/** So many acts at most are told. */
const mostActs = 50

/** What was done since a time. */
const actsSince = (
  streams: EventStreams["Service"],
  stream: string,
  from: number
): Effect.Effect<ReadonlyArray<AuditRecord>, EventStreamsError> =>
  scan(streams, auditKey(stream), { from }, "newest first").pipe(
    Stream.map(({ fields }) => auditRecordOf(fields)),
    Stream.filter((record) => record !== undefined),
    Stream.take(mostActs),
    Stream.runCollect,
    Effect.map((records) => records.toReversed())
  )

/** Looks through what the selections match, in both places. */
export const makeReport = Effect.fnUntraced(function* (
  selected: ReadonlyArray<readonly [source: Source, selection: Selection]>,
  onLook: OnLook
): Effect.fn.Return<Report, EventStreamsError> {
  const grouped = new Grouped(groupings)
  const counts: Record<Place, number> = { abandoned: 0, dlq: 0 }
  for (const [source, selection] of selected) {
    yield* Stream.runForEach(pagesOf(source, selection, "oldest first", onLook), (page) =>
      Effect.sync(() => {
        counts[source.place] += page.length
        for (const entry of page) grouped.add(entry)
      })
    )
  }
  const byHour = grouped.of("hour")
  const first =
    byHour.length === 0
      ? undefined
      : byHour.reduce((least, group) => Math.min(least, group.first), Number.POSITIVE_INFINITY)
  const last = byHour.length === 0 ? undefined : byHour.reduce((most, group) => Math.max(most, group.last), 0)
  const [source] = selected[0] ?? []
  const acts =
    first === undefined || source === undefined
      ? []
      : yield* actsSince(source.streams, source.sets[0]?.transcribe ?? "", first)
  return {
    abandoned: counts.abandoned,
    waiting: counts.dlq,
    first,
    last,
    groups: {
      error: grouped.of("error"),
      stream: grouped.of("stream"),
      model: grouped.of("model"),
      user: grouped.of("user"),
      hour: byHour
    },
    acts
  }
})
