/** An incident on one page: how many failed, of whom, from when to when, and what became of them (contract section 1, `report`). */
import { Clock, Duration, Effect, Stream } from "effect"
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
  /** Entries looked at, matching or not, the latest of each stream first where that was not all. */
  readonly looked: number
  readonly isWhole: boolean
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

/** Looks through what the selections match, in both places; for so long at most, where that is said, and says how far it came. */
export const makeReport = Effect.fnUntraced(function* (
  selected: ReadonlyArray<readonly [source: Source, selection: Selection]>,
  onLook: OnLook,
  patience?: Duration.Duration
): Effect.fn.Return<Report, EventStreamsError> {
  const grouped = new Grouped(groupings)
  const counts: Record<Place, number> = { abandoned: 0, dlq: 0 }
  // Each stream by itself, with its part of the time: none is left out for another's length.
  const parts = selected.flatMap(([source, selection]) =>
    selection.keys.map((key) => [source, { ...selection, keys: [key] }] as const)
  )
  const began = yield* Clock.currentTimeMillis
  let looked = 0
  let isWhole = true
  for (const [at, [source, selection]] of parts.entries()) {
    const until =
      patience === undefined
        ? Number.POSITIVE_INFINITY
        : began + (Duration.toMillis(patience) * (at + 1)) / parts.length
    const before = looked
    const pages = pagesOf(source, selection, "newest first", (count) => {
      looked = before + count
      return onLook(looked)
    })
    yield* Stream.runForEachWhile(pages, (page) => {
      counts[source.place] += page.length
      for (const entry of page) grouped.add(entry)
      return Effect.map(Clock.currentTimeMillis, (now) => {
        if (now >= until) isWhole = false
        return now < until
      })
    })
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
    looked,
    isWhole,
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
