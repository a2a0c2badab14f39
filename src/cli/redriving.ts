/** Acting on a selection: counted first, asked about, done to what was counted and to nothing that came since. */
import { Clock, Effect } from "effect"
import { printable } from "../domain/text/printable.ts"
import type { FailedEntry } from "../programs/operator/failedEntry.ts"
import { handled, noProgress, type Progress } from "../programs/operator/redrive.ts"
import {
  filtersText,
  isFiltered,
  lengthOf,
  type Source,
  select,
  survey,
  surveyedEntries
} from "../programs/operator/selection.ts"
import type { EventStreamsError } from "../services/EventStreamsError.ts"
import { confirm, events, mustBeMeant } from "./acting.ts"
import { noteInAudit } from "./audited.ts"
import { columnsOf } from "./entryListing.ts"
import { type FilterFlags, filtersOf } from "./filters.ts"
import { Misused, type Operated } from "./operator.ts"
import { counted, printAside, printJson, printLine } from "./output.ts"
import { progressLine } from "./progress.ts"
import { type Column, printTable } from "./table.ts"

export type ActFlags = FilterFlags & {
  readonly all: boolean
  readonly yes: boolean
  readonly dryRun: boolean
  readonly why: string | undefined
  readonly as: string | undefined
  readonly limit: number | undefined
  readonly json: boolean
}

export interface Act<E, R> {
  /** The command, as the audit has it. */
  readonly action: string
  /** What is done, as a person is asked: `Replay`. */
  readonly verb: string
  /** What was done: `replayed`. */
  readonly done: string
  readonly source: Source
  readonly flags: ActFlags
  readonly named: ReadonlyArray<string>
  /** Counts an entry as the work would, without doing it. */
  readonly count: (progress: Progress, entry: FailedEntry) => Progress
  readonly work: (
    entries: ReturnType<typeof surveyedEntries>,
    step: (progress: Progress) => Effect.Effect<void>
  ) => Effect.Effect<Progress, EventStreamsError | E, R>
  readonly columns: (now: number) => ReadonlyArray<Column<FailedEntry>>
  /** Done once it is confirmed, before anything is changed. */
  readonly before?: (entries: ReturnType<typeof surveyedEntries>, total: number) => Effect.Effect<void, E, R>
  /** Done at the end, with what was done. */
  readonly after?: (progress: Progress) => Effect.Effect<void, E, R>
}

const summaryOf = (done: string, progress: Progress): string =>
  [
    `${counted(progress.done)} ${done}`,
    ...(progress.gone > 0 ? [`${counted(progress.gone)} already gone`] : []),
    ...(progress.alreadyDue > 0 ? [`${counted(progress.alreadyDue)} due already, left alone`] : []),
    ...(progress.settled > 0 ? [`${counted(progress.settled)} ended already, left alone`] : []),
    ...(progress.unreadable > 0 ? [`${counted(progress.unreadable)} unreadable, left in place`] : []),
    ...(progress.foreignOrigin > 0
      ? [
          `${counted(progress.foreignOrigin)} left in place: this service is not set to read their origin stream ` +
            `(${printable(progress.firstForeign ?? "")}); --to-stream <key> puts events elsewhere`
        ]
      : [])
  ].join(", ")

/** What was named on the command line but not done, a line each. */
const undone = (
  act: { readonly done: string; readonly named: ReadonlyArray<string> },
  isNarrowed: boolean,
  missing: ReadonlySet<string>,
  progress: Progress
) => {
  if (act.named.length === 0) return []
  const left = progress.gone + progress.unreadable + progress.foreignOrigin + progress.alreadyDue + progress.settled
  return [
    ...[...missing].map((id) => `no entry${isNarrowed ? " that matches the filters" : ""} has the id ${printable(id)}`),
    ...(left > 0 ? [`${left} of the entries named could not be ${act.done}`] : [])
  ]
}

/** Rows that a rehearsal shows. */
const rehearsedRows = 100

export const actOn = Effect.fnUntraced(function* <E = never, R = never>(operated: Operated, act: Act<E, R>) {
  const { columns, count, done, flags, named, source, verb, work } = act
  const filters = yield* filtersOf(flags, named)
  yield* mustBeMeant(flags, filters)
  const selection = yield* select(source, filters)
  const missing = new Set(named)
  const looking = yield* progressLine("looked at", yield* lengthOf(source, selection))
  const rows: Array<FailedEntry> = []
  let rehearsed = noProgress
  const found = yield* survey(
    source,
    selection,
    flags.limit ?? Number.MAX_SAFE_INTEGER,
    (entry) => {
      missing.delete(entry.id)
      if (missing.size > 0 && entry.eventId !== undefined) missing.delete(entry.eventId)
      rehearsed = count(rehearsed, entry)
      if (flags.dryRun && rows.length < rehearsedRows) rows.push(entry)
      return Effect.void
    },
    looking.step
  )
  yield* looking.end
  const conclude = Effect.fnUntraced(function* (progress: Progress) {
    yield* flags.json
      ? printJson({
          dry_run: flags.dryRun,
          matched: found.total,
          [done.replaceAll(" ", "_")]: progress.done,
          gone: progress.gone,
          unreadable: progress.unreadable,
          foreign_origin: progress.foreignOrigin,
          already_due: progress.alreadyDue,
          settled: progress.settled
        })
      : printLine(`${flags.dryRun ? "would be: " : ""}${summaryOf(done, progress)}`)
    const problems = undone(act, isFiltered({ ...filters, named: [] }), missing, progress)
    if (problems.length > 0) return yield* new Misused({ problem: problems.join("\n") })
  })
  if (flags.dryRun) {
    if (!flags.json && rows.length > 0) {
      yield* printTable(columns(yield* Clock.currentTimeMillis), rows)
      if (found.total > rows.length) yield* printLine(`${counted(rows.length)} of ${counted(found.total)}`)
    }
    return yield* conclude(rehearsed)
  }
  if (rehearsed.done === 0) return yield* conclude(rehearsed)
  const meant = flags.all
    ? ""
    : ` that ${rehearsed.done === 1 ? "matches" : "match"} ${printable(filtersText(filters))}`
  yield* confirm(flags, `${verb} ${events(rehearsed.done)}${meant}?`)
  yield* act.before?.(surveyedEntries(source, selection, found), found.total) ?? Effect.void
  const progress = yield* progressLine(done, found.total)
  let last = noProgress
  const step = (now: Progress): Effect.Effect<void> => {
    last = now
    return progress.step(handled(now))
  }
  const note = (count: number) =>
    noteInAudit(operated, flags, {
      action: act.action,
      filter: [
        flags.all ? "--all" : filtersText(filters),
        ...(flags.limit === undefined ? [] : [`--limit ${flags.limit}`])
      ].join(" "),
      count
    })
  const stopped = Effect.suspend(() =>
    Effect.andThen(
      Effect.andThen(progress.end, note(last.done)),
      printAside(
        `stopped: ${last.done} ${done}, none lost or duplicated; run the same command again to continue${
          named.length > 0 ? " (it reports what is already done as missing)" : ""
        }`
      )
    )
  )
  const result = yield* Effect.onInterrupt(work(surveyedEntries(source, selection, found), step), () => stopped)
  yield* progress.end
  yield* note(result.done)
  yield* conclude(result)
  yield* act.after?.(result) ?? Effect.void
})

/** The columns of abandoned entries. */
export const abandonedColumns =
  (sets: Source["sets"]) =>
  (now: number): ReadonlyArray<Column<FailedEntry>> => {
    const { age, attempts, error, event, id, model, reason, stream, user } = columnsOf(sets, now)
    return [age, id, event, reason, attempts, stream, user, model, error]
  }
