/**
 * Replays, retries and drops from beginning to end: what they act on is counted, then acted on, and the audit says so. The very
 * ones behind the console's jobs and a host app's `redrive`.
 */
import { Clock, Effect, Stream } from "effect"
import { timeOfId } from "../../domain/events/streamId.ts"
import type { KnownStreams } from "../../domain/options/knownStreams.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { audit } from "../redis/audit.ts"
import type { FailedEntry, Place } from "./failedEntry.ts"
import { look } from "./look.ts"
import {
  abandonedItem,
  drop,
  dropRetries,
  leave,
  makeFateOf,
  noProgress,
  oneMore,
  type Progress,
  rehearseRetry,
  replay,
  retryNow
} from "./redrive.ts"
import {
  type Filters,
  filtersText,
  isFiltered,
  SelectionError,
  type Source,
  select,
  survey,
  surveyedEntries
} from "./selection.ts"

/** What is done: the command that does the same, and what the audit says. */
export const failedActions = ["abandoned replay", "abandoned drop", "dlq retry", "dlq drop"] as const
export type FailedAction = (typeof failedActions)[number]

export const placeOfAction = (action: FailedAction): Place => (action.startsWith("dlq") ? "dlq" : "abandoned")

export interface ActRequest {
  readonly action: FailedAction
  readonly filters: Filters
  /** Everything there is: only where no filter is given. */
  readonly all: boolean
  /** No more than so many, the oldest first. */
  readonly limit: number | undefined
  /** Replays a second. */
  readonly rate: number
  readonly by: string
  readonly why: string | undefined
}

export const usualRate = 100

/** What would be done, without doing it. */
export interface Rehearsal {
  readonly progress: Progress
  readonly matched: number
  readonly looked: number
  /** Whether all that match were seen; otherwise the counts are of those looked at, the latest. */
  readonly isWhole: boolean
  /** Where that was not all: since when all were looked at; undefined where no one time says it, of several streams. */
  readonly since: number | undefined
  readonly sample: ReadonlyArray<FailedEntry>
}

export const rehearsedMost = 200_000
const sampled = 10

/** What is acted on must be said (contract section 1): a filter, or everything. */
const checkMeant = ({ all, filters }: ActRequest): Effect.Effect<void, SelectionError> => {
  if (all === isFiltered(filters))
    return Effect.fail(
      new SelectionError({
        problem: all
          ? "all is for everything; with a filter leave it out"
          : "give a filter, or say all to act on everything"
      })
    )
  return Effect.void
}

const itemOf = ({ fields, id, stream }: FailedEntry) => abandonedItem(stream, { id, fields })

/** How the audit has what a job was asked to act on. */
export const selectionText = ({ all, filters, limit }: Pick<ActRequest, "all" | "filters" | "limit">): string =>
  [all ? "--all" : filtersText(filters), ...(limit === undefined ? [] : [`--limit ${limit}`])].join(" ")

/** What acts, and what says what that would do. */
export const makeActing = (streams: EventStreams["Service"], sets: ReadonlyArray<KnownStreams>, group: string) => {
  const fateOf = makeFateOf(sets)

  const sourceOf = (action: FailedAction): Source => ({ streams, sets, place: placeOfAction(action) })

  const work = (
    { action, rate }: ActRequest,
    entries: ReturnType<typeof surveyedEntries>,
    step: (progress: Progress) => Effect.Effect<void>
  ): Effect.Effect<Progress, EventStreamsError> => {
    switch (action) {
      case "abandoned replay":
        return replay(streams, Stream.map(entries, itemOf), rate, fateOf, step)
      case "abandoned drop":
        return drop(streams, entries, step)
      case "dlq retry":
        return retryNow(streams, group, entries, step)
      case "dlq drop":
        return dropRetries(streams, group, entries, step)
    }
  }

  const count = (action: FailedAction, progress: Progress, entry: FailedEntry, now: number): Progress => {
    if (action === "dlq retry") return rehearseRetry(progress, entry, now)
    if (action !== "abandoned replay") return oneMore(progress)
    const fate = fateOf(itemOf(entry))
    return fate._tag === "PutBack" ? oneMore(progress) : leave(progress, fate)
  }

  return {
    /** Looks at what was asked for before anything is done. */
    check: Effect.fnUntraced(function* (request: ActRequest) {
      yield* checkMeant(request)
      yield* select(sourceOf(request.action), request.filters)
    }),
    /** Acts; `onFound` hears how many matched, `onStep` how far it is. */
    perform: Effect.fnUntraced(function* (
      request: ActRequest,
      onFound: (total: number) => Effect.Effect<void>,
      onStep: (progress: Progress) => Effect.Effect<void>
    ) {
      yield* checkMeant(request)
      const source = sourceOf(request.action)
      const selection = yield* select(source, request.filters)
      const found = yield* survey(source, selection, request.limit ?? Number.MAX_SAFE_INTEGER)
      yield* onFound(found.total)
      return yield* work(request, surveyedEntries(source, selection, found), onStep)
    }),
    /** Notes in the audit what was done, however it ended. */
    note: Effect.fnUntraced(function* (
      request: Omit<ActRequest, "action"> & { readonly action: string },
      done: number
    ) {
      return yield* audit(streams, sets[0]?.transcribe ?? "", {
        at: yield* Clock.currentTimeMillis,
        who: request.by,
        action: request.action,
        filter: selectionText(request),
        count: done,
        why: request.why
      })
    }),
    rehearse: Effect.fnUntraced(function* (
      request: ActRequest,
      reach = rehearsedMost
    ): Effect.fn.Return<Rehearsal, SelectionError | EventStreamsError> {
      yield* checkMeant(request)
      const source = sourceOf(request.action)
      const selection = yield* select(source, request.filters)
      const now = yield* Clock.currentTimeMillis
      const most = request.limit ?? Number.MAX_SAFE_INTEGER
      const sample: Array<FailedEntry> = []
      let progress = noProgress
      let matched = 0
      const { looked, next } = yield* look(source, selection, { most: reach }, (entry) => {
        matched += 1
        progress = count(request.action, progress, entry, now)
        if (sample.length < sampled) sample.push(entry)
        return true
      })
      const seen = next === undefined || selection.keys.length > 1 ? undefined : next.slice(next.indexOf(".") + 1)
      return {
        progress,
        matched: Math.min(matched, most),
        looked,
        isWhole: next === undefined,
        // Of its millisecond others may not have been looked at.
        since: seen === undefined ? undefined : timeOfId(seen) + 1,
        sample
      }
    })
  }
}
