/** The events that failed, for a host app: what the commands and the console do, as effects (contract section 9). */
import { Effect, Exit, Ref, Schema, Stream } from "effect"
import { mostWho, mostWhy } from "../../domain/traffic/rules.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { type ActRequest, type FailedAction, makeActing, usualRate } from "./actOnFailed.ts"
import type { FailedEntry, Place, Said } from "./failedEntry.ts"
import { type Group, type Grouping, groupEntries } from "./groups.ts"
import { noProgress, type Progress } from "./redrive.ts"
import {
  checkFields,
  entriesOf,
  type Filters,
  noFilters,
  type SelectionError,
  type Source,
  select
} from "./selection.ts"

/** Failed events could not be looked at, or acted on. `Invalid`: what was asked for cannot be meant; `Redis`: it is away, or refuses. */
export class RedriveError extends Schema.TaggedError<RedriveError>()("RedriveError", {
  reason: Schema.Literals(["Invalid", "Redis"]),
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** Which failed events are meant: values of one filter are alternatives, different filters must all hold. None: all of them. */
export type RedriveFilters = { readonly [Name in keyof Filters]?: Filters[Name] | undefined }

/** An event of the DLQ, or of the abandoned stream. */
export interface FailedEvent {
  readonly place: Place
  /** The key of the DLQ or the abandoned stream, and the entry's id there. */
  readonly stream: string
  readonly id: string
  readonly eventId: string | undefined
  /** Why it failed; undefined where the entry does not decode. */
  readonly failure: Said | undefined
  /** The event's own fields, as its producer wrote them; undefined where they do not decode. */
  readonly event: Readonly<Record<string, string>> | undefined
}

/** What of the failed events is listed, and in which order. */
export interface ListOptions {
  readonly filters?: RedriveFilters | undefined
  /** Default `newest first`. */
  readonly order?: "newest first" | "oldest first" | undefined
}

/** What is acted on, and how. */
export interface RedriveOptions {
  /** At least one filter, unless `all` says that everything is meant. */
  readonly filters?: RedriveFilters | undefined
  readonly all?: boolean | undefined
  /** No more than so many, the oldest first. */
  readonly limit?: number | undefined
  /** The reason, for the audit: at most 500 characters. */
  readonly why?: string | undefined
  /** Who does it, for the audit: at most 128 characters; by default the collector's consumer name. */
  readonly as?: string | undefined
}

/** What is put back, and how fast. */
export interface ReplayOptions extends RedriveOptions {
  /** So many a second; default 100. */
  readonly rate?: number | undefined
}

/**
 * The failed events of the collector's streams. An effect that acts ends when all that matched when it began is done, and is then
 * in the audit; interrupted, it stops between two events, and what it has done stays done.
 */
export interface Redrive {
  readonly list: (place: Place, options?: ListOptions) => Stream.Stream<FailedEvent, RedriveError>
  /** Counted by what they have in common, the largest groups first. */
  readonly groups: (
    place: Place,
    by: Grouping,
    filters?: RedriveFilters
  ) => Effect.Effect<ReadonlyArray<Group>, RedriveError>
  /** Puts abandoned events back at the ends of their streams, as if they were new. */
  readonly replay: (options: ReplayOptions) => Effect.Effect<Progress, RedriveError>
  /** Makes events of the DLQ due at once. */
  readonly retry: (options: RedriveOptions) => Effect.Effect<Progress, RedriveError>
  /** Deletes them for good. */
  readonly drop: (place: Place, options: RedriveOptions) => Effect.Effect<Progress, RedriveError>
}

const filtersOf = (given: RedriveFilters = {}): Filters => ({
  ...noFilters,
  ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
})

const told = ({ _tag, message }: SelectionError | EventStreamsError): RedriveError =>
  new RedriveError({ reason: _tag === "SelectionError" ? "Invalid" : "Redis", problem: message })

const fieldsOf = ({ event }: FailedEntry): FailedEvent["event"] => {
  if (event === undefined) return undefined
  const fields: Record<string, string> = Object.create(null)
  for (let at = 0; at + 1 < event.length; at += 2) fields[event[at] ?? ""] = event[at + 1] ?? ""
  return fields
}

const failedEvent = (entry: FailedEntry): FailedEvent => ({
  place: entry.place,
  stream: entry.stream,
  id: entry.id,
  eventId: entry.eventId,
  failure: entry.said,
  event: fieldsOf(entry)
})

/** What is wrong with options, from JavaScript too. */
const problemOf = ({ as, limit, rate, why }: ReplayOptions): string | undefined => {
  const isText = (text: unknown, most: number) =>
    text === undefined || (typeof text === "string" && text.trim() !== "" && text.length <= most)
  const isCount = (count: unknown) => count === undefined || (Number.isSafeInteger(count) && Number(count) >= 1)
  if (!isText(why, mostWhy)) return `why: must be a text of 1 to ${mostWhy} characters`
  if (!isText(as, mostWho)) return `as: must be a text of 1 to ${mostWho} characters`
  if (!isCount(limit)) return "limit: must be a whole number of at least 1"
  return isCount(rate) ? undefined : "rate: must be a whole number of at least 1"
}

/** Of whose streams. */
type Redriven = Omit<Source, "place"> & { readonly group: string }

export const makeRedrive = ({ group, sets, streams }: Redriven, by: string): Redrive => {
  const acting = makeActing(streams, sets, group)

  const act = Effect.fnUntraced(
    function* (action: FailedAction, options: ReplayOptions) {
      const problem = problemOf(options)
      if (problem !== undefined) return yield* new RedriveError({ reason: "Invalid", problem })
      const { all = false, as = by, filters, limit, rate = usualRate, why } = options
      const request: ActRequest = { action, filters: filtersOf(filters), all, limit, rate, by: as, why }
      yield* acting.check(request)
      const progress = yield* Ref.make(noProgress)
      return yield* acting
        .perform(
          request,
          () => Effect.void,
          (now) => Ref.set(progress, now)
        )
        .pipe(
          Effect.onExit(
            Effect.fnUntraced(function* (exit) {
              const { done } = Exit.isSuccess(exit) ? exit.value : yield* Ref.get(progress)
              const unaudited = yield* acting.note(request, done)
              if (unaudited === undefined) return
              yield* Effect.logWarning("audit.failed").pipe(Effect.annotateLogs({ action, problem: unaudited.message }))
            })
          )
        )
    },
    Effect.mapError((error) => (error._tag === "RedriveError" ? error : told(error)))
  )

  const sourceOf = (place: Place): Source => ({ streams, sets, place })

  return {
    list: (place, { filters, order = "newest first" } = {}) => {
      const source = sourceOf(place)
      return Stream.unwrap(
        Effect.map(select(source, filtersOf(filters)), (selection) =>
          Stream.map(entriesOf(source, selection, order), failedEvent).pipe(
            Stream.concat(Stream.fromEffectDrain(checkFields(selection)))
          )
        )
      ).pipe(Stream.mapError(told))
    },
    groups: (place, grouping, filters) => {
      const source = sourceOf(place)
      return select(source, filtersOf(filters)).pipe(
        Effect.flatMap((selection) => groupEntries(source, selection, [grouping])),
        Effect.map(({ grouped }) => grouped.of(grouping)),
        Effect.mapError(told)
      )
    },
    replay: (options) => act("abandoned replay", options),
    retry: (options) => act("dlq retry", options),
    drop: (place, options) => act(place === "dlq" ? "dlq drop" : "abandoned drop", options)
  }
}
