/** Lists of entries, newest first: as a table for people, with how many there are in all, or as one JSON object a line. */
import { Effect, Stream } from "effect"
import { shownEventId } from "../domain/events/entry.ts"
import { timeOfId } from "../domain/events/streamId.ts"
import { type KnownStreams, sourcesOf } from "../domain/options/knownStreams.ts"
import { shortSpan } from "../domain/text/relativeTime.ts"
import type { FailedEntry } from "../programs/operator/failedEntry.ts"
import { checkFields, entriesOf, isFiltered, lengthOf, type Source, select } from "../programs/operator/selection.ts"
import { type FilterFlags, filtersOf } from "./filters.ts"
import { counted, printJson, printLine } from "./output.ts"
import { progressLine } from "./progress.ts"
import { dim, red, yellow } from "./screen.ts"
import { type Column, printTable } from "./table.ts"

interface EntryListing {
  readonly source: Source
  readonly flags: FilterFlags & { readonly limit: number | undefined; readonly json: boolean }
  readonly named: ReadonlyArray<string>
  readonly columns: ReadonlyArray<Column<FailedEntry>>
  /** What an entry is as JSON. */
  readonly value: (entry: FailedEntry) => unknown
  /** What is said of none. */
  readonly none: string
  /** What they are, after their number. */
  readonly what: string
}

/** Rows of a table, where nobody says how many. */
const usualRows = 100

export const printEntries = Effect.fnUntraced(function* (listing: EntryListing) {
  const { columns, flags, named, none, source, value, what } = listing
  const filters = yield* filtersOf(flags, named)
  const selection = yield* select(source, filters)
  const length = yield* lengthOf(source, selection)
  const progress = yield* progressLine("looked at", length)
  const entries = entriesOf(source, selection, "newest first", progress.step)
  const most = flags.limit ?? (flags.json ? Number.MAX_SAFE_INTEGER : usualRows)
  if (flags.json) {
    let found = false
    yield* Stream.runForEach(Stream.take(entries, most), (entry) => {
      found = true
      return printJson(value(entry))
    })
    return found ? undefined : yield* checkFields(selection)
  }
  const rows: Array<FailedEntry> = []
  let total = 0
  // Without a filter Redis says how many there are; with one, those beyond the limit are only counted.
  const counting = isFiltered(filters) ? entries : Stream.take(entries, most)
  yield* Stream.runForEach(counting, (entry) => {
    total += 1
    if (total <= most) rows.push(entry)
    return Effect.void
  })
  yield* progress.end
  if (!isFiltered(filters) && rows.length === most) total = Math.max(total, length)
  if (total === 0) {
    yield* checkFields(selection)
    return yield* printLine(none)
  }
  yield* printTable(columns, rows)
  yield* printLine(total > rows.length ? `${counted(rows.length)} of ${counted(total)}` : `${counted(total)} ${what}`)
})

const unreadable = "unreadable: it does not decode"

/** The columns that both lists have. What is missing is a dash. */
export const columnsOf = (sets: ReadonlyArray<KnownStreams>, now: number) => {
  const [only, ...more] = sets
  const streamName = (key: string): string => {
    if (only === undefined || more.length > 0) return key
    return sourcesOf(only).find(([, stream]) => stream === key)?.[0] ?? key
  }
  const column = (it: Column<FailedEntry>): Column<FailedEntry> => it
  return {
    age: column({ title: "AGE", cell: ({ id }) => shortSpan(now - timeOfId(id)), right: true, colour: dim }),
    id: column({ title: "ID", cell: ({ id }) => id, optional: 1 }),
    event: column({ title: "EVENT", cell: ({ eventId }) => shownEventId(eventId ?? "-"), most: 24 }),
    reason: column({ title: "REASON", cell: ({ said }) => said?.reason ?? "-", most: 12, colour: yellow }),
    attempts: column({ title: "TRIES", cell: ({ said }) => `${said?.attempts ?? "-"}`, right: true, optional: 3 }),
    stream: column({
      title: "STREAM",
      cell: ({ said }) => streamName(said?.originStream ?? "-"),
      most: 14,
      optional: 0
    }),
    user: column({ title: "USER", cell: (entry) => entry.value("user_id") ?? "-", most: 16, optional: 2 }),
    model: column({ title: "MODEL", cell: (entry) => entry.value("model") ?? "-", most: 16, optional: 4 }),
    error: column({
      title: "ERROR",
      cell: ({ said }) => (said === undefined ? unreadable : `${said.errorCode}: ${said.errorMessage}`),
      colour: red
    })
  }
}
