/** `groups`: failures counted by what they have in common. */
import { Clock, Effect } from "effect"
import { Flag } from "effect/cli"
import { instant } from "../domain/events/instant.ts"
import { shortSpan } from "../domain/text/relativeTime.ts"
import { type Group, type Grouping, groupEntries, groupings } from "../programs/operator/groups.ts"
import { lengthOf, type Source, select } from "../programs/operator/selection.ts"
import { type FilterFlags, filtersOf } from "./filters.ts"
import { counted, plural, printJson, printLine } from "./output.ts"
import { progressLine } from "./progress.ts"
import { type Column, printTable } from "./table.ts"

export const by = Flag.Literals("by", groupings).pipe(
  Flag.withDescription("What to count by; an error is its code and message, ids and numbers folded"),
  Flag.withDefault("error" as const)
)

const columns = (by: Grouping, total: number, now: number): ReadonlyArray<Column<Group>> => [
  { title: "COUNT", cell: ({ count }) => counted(count), right: true },
  { title: "SHARE", cell: ({ count }) => `${((100 * count) / total).toFixed(1)} %`, right: true },
  { title: "FIRST", cell: ({ first }) => shortSpan(now - first), right: true },
  { title: "LAST", cell: ({ last }) => shortSpan(now - last), right: true },
  { title: "LATEST ID", cell: ({ latestId }) => latestId, optional: 1 },
  { title: by.toUpperCase(), cell: ({ key }) => key }
]

/** Rows of a table, where nobody says how many. */
const usualRows = 50

export const printGroups = Effect.fnUntraced(function* (
  source: Source,
  flags: FilterFlags & {
    readonly by: Grouping
    readonly limit: number | undefined
    readonly json: boolean
  },
  none: string
) {
  const selection = yield* select(source, yield* filtersOf(flags))
  const progress = yield* progressLine("looked at", yield* lengthOf(source, selection))
  const { grouped, total } = yield* groupEntries(source, selection, [flags.by], progress.step)
  yield* progress.end
  const groups = grouped.of(flags.by)
  if (flags.json) {
    return yield* Effect.forEach(
      groups.slice(0, flags.limit),
      ({ count, first, key, last, latestId }) =>
        printJson({ [flags.by]: key, count, first: instant(first), last: instant(last), latest_id: latestId }),
      { discard: true }
    )
  }
  if (total === 0) return yield* printLine(none)
  const shown = groups.slice(0, flags.limit ?? usualRows)
  yield* printTable(columns(flags.by, total, yield* Clock.currentTimeMillis), shown)
  const of =
    shown.length < groups.length
      ? `${counted(shown.length)} of ${plural(groups.length, "group")}`
      : plural(groups.length, "group")
  yield* printLine(`${of}, ${counted(total)} in all`)
})
