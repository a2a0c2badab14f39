/** Looks through failed entries, the newest first, no further than it is let: for answers that must come soon. */
import { Effect, Stream } from "effect"
import { compareIds, idBefore, isEntryId, smallerId } from "../../domain/events/streamId.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { FailedEntry } from "./failedEntry.ts"
import { Grouped, type Grouping } from "./groups.ts"
import { type Bounds, scanPages } from "./scan.ts"
import { checkFields, type Selection, SelectionError, type Source } from "./selection.ts"

/** Where the next look begins: `<number of the stream>.<the last entry looked at>`. */
export type Cursor = string

/** How far a look went. */
export interface Looked {
  /** Entries looked at, matching or not. */
  readonly looked: number
  /** Where to go on; undefined where all was seen. */
  readonly next: Cursor | undefined
}

export interface Reach {
  readonly cursor?: Cursor | undefined
  /** Looks at about so many entries at most: a page of Redis's answer is looked at whole, or until enough is seen. */
  readonly most: number
}

interface Place {
  readonly at: number
  readonly after: string | undefined
}

const placeOf = ({ keys }: Selection, cursor: Cursor | undefined): Effect.Effect<Place, SelectionError> => {
  if (cursor === undefined) return Effect.succeed({ at: 0, after: undefined })
  const [, at, after] = /^(\d{1,6})\.(\d{1,20}-\d{1,20})$/.exec(cursor) ?? []
  return after !== undefined && Number(at) < keys.length && isEntryId(after)
    ? Effect.succeed({ at: Number(at), after })
    : Effect.fail(new SelectionError({ problem: "cursor: must be one that a page before gave" }))
}

const upperBound = ({ to }: Bounds, before: string): Bounds["to"] => {
  if (to === undefined) return before
  return typeof to === "string" ? smallerId(to, before) : compareIds(`${to}-0`, before) < 0 ? to : before
}

/** Hands over the entries that match until `onMatch` wants no more (it returns false) or it has looked far enough. */
export const look = Effect.fnUntraced(function* (
  source: Source,
  selection: Selection,
  { cursor, most }: Reach,
  onMatch: (entry: FailedEntry) => boolean
): Effect.fn.Return<Looked, EventStreamsError | SelectionError> {
  const { bounds, keys, matches } = selection
  const first = yield* placeOf(selection, cursor)
  let looked = 0
  let next: Cursor | undefined
  let matched = false
  for (const [at, key] of keys.entries()) {
    if (at < first.at) continue
    const before = at === first.at && first.after !== undefined ? idBefore(first.after) : undefined
    if (before === "-") continue
    const within = before === undefined ? bounds : { ...bounds, to: upperBound(bounds, before) }
    yield* Stream.runForEachWhile(scanPages(source.streams, key, within, "newest first"), (page) => {
      for (const entry of page) {
        looked += 1
        const failed = new FailedEntry(source.place, key, entry)
        if (!matches(failed)) continue
        matched = true
        if (onMatch(failed)) continue
        next = `${at}.${entry.id}`
        return Effect.succeed(false)
      }
      const last = page.at(-1)
      if (looked >= most && last !== undefined) next = `${at}.${last.id}`
      return Effect.succeed(next === undefined)
    })
    if (next !== undefined) return { looked, next }
  }
  if (!matched && cursor === undefined) yield* checkFields(selection)
  return { looked, next: undefined }
})

/** A page of what matches. */
export const pageOf = Effect.fnUntraced(function* (source: Source, selection: Selection, reach: Reach, size: number) {
  const entries: Array<FailedEntry> = []
  const looked = yield* look(source, selection, reach, (entry) => {
    entries.push(entry)
    return entries.length < size
  })
  return { entries, ...looked }
})

/** Counts the latest of what matches by what they have in common, each way that is asked for. */
export const groupsWithin = Effect.fnUntraced(function* (
  source: Source,
  selection: Selection,
  by: ReadonlyArray<Grouping>,
  reach: Reach,
  onMatch: (entry: FailedEntry) => void = () => {}
) {
  const grouped = new Grouped(by)
  let matched = 0
  const looked = yield* look(source, selection, reach, (entry) => {
    matched += 1
    grouped.add(entry)
    onMatch(entry)
    return true
  })
  return { grouped, matched, ...looked }
})

/** The groups of the latest, and the first page of them, in one look. */
export const groupsAndPage = Effect.fnUntraced(function* (
  source: Source,
  selection: Selection,
  by: ReadonlyArray<Grouping>,
  reach: Reach,
  size: number
) {
  const entries: Array<FailedEntry> = []
  const found = yield* groupsWithin(source, selection, by, reach, (entry) => {
    if (entries.length < size) entries.push(entry)
  })
  const last = entries.at(-1)
  // The page ends before the look did.
  const older =
    found.matched > entries.length && last !== undefined
      ? `${selection.keys.indexOf(last.stream)}.${last.id}`
      : found.next
  return { ...found, entries, older }
})
