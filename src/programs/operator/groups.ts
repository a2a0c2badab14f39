/** Failures counted by what they have in common (contract section 1, `groups`). */
import { Effect, Stream } from "effect"
import { foldError } from "../../domain/delivery/foldError.ts"
import { timeOfId } from "../../domain/events/streamId.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import type { FailedEntry } from "./failedEntry.ts"
import { checkFields, type OnLook, pagesOf, type Selection, type SelectionError, type Source } from "./selection.ts"

export const groupings = ["error", "stream", "model", "user", "hour"] as const
/** By what failed events are counted. */
export type Grouping = (typeof groupings)[number]

/** Failed events that have something in common. */
export interface Group {
  readonly key: string
  readonly count: number
  /** When the first and the last of them came into the stream, in epoch milliseconds. */
  readonly first: number
  readonly last: number
  /** The entry of the latest of them. */
  readonly latestId: string
}

/** The key of what does not decode. */
const unreadable = "(unreadable)"
/** The key of what has no such field. */
const none = "(none)"
/** The key of all that is left when there are too many keys to keep. */
const others = "(others)"

/** So many keys are kept at most. */
const mostKeys = 100_000

const hourOf = (millis: number): string =>
  Math.abs(millis) <= 8.64e15 ? `${new Date(millis).toISOString().slice(0, 13)}:00Z` : none

const keyOf: Readonly<Record<Grouping, (entry: FailedEntry) => string>> = {
  error: ({ said }) => (said === undefined ? unreadable : foldError(said.errorCode, said.errorMessage)),
  stream: ({ said }) => said?.originStream ?? unreadable,
  model: (entry) => entry.value("model") ?? none,
  user: (entry) => entry.value("user_id") ?? none,
  hour: ({ id }) => hourOf(timeOfId(id))
}

/** Counted up in place: there may be as many as entries. */
interface Counted {
  count: number
  first: number
  last: number
  latestId: string
}

/** Counts entries by several groupings at once: the largest groups first, hours in their order. */
export class Grouped {
  private readonly counts: ReadonlyMap<Grouping, Map<string, Counted>>

  constructor(by: ReadonlyArray<Grouping>) {
    this.counts = new Map(by.map((grouping) => [grouping, new Map()]))
  }

  add(entry: FailedEntry): void {
    const time = timeOfId(entry.id)
    for (const [grouping, groups] of this.counts) {
      const wanted = keyOf[grouping](entry)
      const key = groups.size < mostKeys || groups.has(wanted) ? wanted : others
      const group = groups.get(key)
      if (group === undefined) groups.set(key, { count: 1, first: time, last: time, latestId: entry.id })
      else {
        group.count += 1
        group.first = Math.min(group.first, time)
        if (time >= group.last) {
          group.last = time
          group.latestId = entry.id
        }
      }
    }
  }

  of(grouping: Grouping): ReadonlyArray<Group> {
    const groups = [...(this.counts.get(grouping) ?? [])].map(([key, counted]) => ({
      key,
      ...counted
    }))
    return grouping === "hour"
      ? groups.sort((a, b) => b.last - a.last)
      : groups.sort((a, b) => b.count - a.count || b.last - a.last)
  }
}

/** Counts what a selection matches. */
export const groupEntries = Effect.fnUntraced(function* (
  source: Source,
  selection: Selection,
  by: ReadonlyArray<Grouping>,
  onLook?: OnLook
): Effect.fn.Return<{ readonly total: number; readonly grouped: Grouped }, EventStreamsError | SelectionError> {
  const grouped = new Grouped(by)
  let total = 0
  yield* Stream.runForEach(pagesOf(source, selection, "oldest first", onLook), (page) => {
    total += page.length
    for (const entry of page) grouped.add(entry)
    return Effect.void
  })
  if (total === 0) yield* checkFields(selection)
  return { total, grouped }
})
