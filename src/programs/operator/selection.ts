/**
 * Which entries of the DLQ or the abandoned stream are meant (contract section 1, "Selecting and acting"): the same filters for
 * every command, as data. Values of one filter are alternatives; different filters must all hold.
 */
import { Effect, Result, Schema, Stream } from "effect"
import { AbandonReason } from "../../domain/delivery/dlq.ts"
import { compareIds, isEntryId } from "../../domain/events/streamId.ts"
import { type KnownStreams, sourcesOf } from "../../domain/options/knownStreams.ts"
import { printable } from "../../domain/text/printable.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { FailedEntry, type Place } from "./failedEntry.ts"
import { type Bounds, type Order, scanPages } from "./scan.ts"

/** A filter that cannot be meant, or that names what is not there. */
export class SelectionError extends Schema.TaggedError<SelectionError>()("SelectionError", {
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

export interface Filters {
  /** Entry ids or event ids, as people name what they mean. */
  readonly named: ReadonlyArray<string>
  readonly ids: ReadonlyArray<string>
  readonly eventIds: ReadonlyArray<string>
  readonly reasons: ReadonlyArray<string>
  readonly errorCodes: ReadonlyArray<string>
  /** Parts of the error's message, in any case. */
  readonly messages: ReadonlyArray<string>
  /** Where events came from: `transcribe`, `process`, `dlq`, or a stream's key. */
  readonly streams: ReadonlyArray<string>
  readonly users: ReadonlyArray<string>
  readonly models: ReadonlyArray<string>
  readonly sessions: ReadonlyArray<string>
  /** Fields of the event by name. */
  readonly where: ReadonlyArray<{ readonly field: string; readonly value: string }>
  /** When entries came into the stream, in epoch milliseconds, both ends included. */
  readonly since: number | undefined
  readonly until: number | undefined
}

export const noFilters: Filters = {
  named: [],
  ids: [],
  eventIds: [],
  reasons: [],
  errorCodes: [],
  messages: [],
  streams: [],
  users: [],
  models: [],
  sessions: [],
  where: [],
  since: undefined,
  until: undefined
}

export const isFiltered = (filters: Filters): boolean =>
  Object.values(filters).some((filter) => filter !== undefined && (!Array.isArray(filter) || filter.length > 0))

const flagOf: Readonly<Record<string, string>> = {
  ids: "--id",
  eventIds: "--event-id",
  reasons: "--reason",
  errorCodes: "--error-code",
  messages: "--message",
  streams: "--stream",
  users: "--user",
  models: "--model",
  sessions: "--session"
}

/** A word as a shell takes it, whatever stands in it. */
export const shellWord = (text: string): string =>
  /^[\w.:@%+,/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/** The filters as a command line has them. */
export const filtersText = (filters: Filters): string =>
  [
    ...filters.named.map(shellWord),
    ...Object.entries(flagOf).flatMap(([name, flag]) => {
      const values: ReadonlyArray<unknown> = Object.entries(filters).find(([key]) => key === name)?.[1] ?? []
      return values.map((value) => `${flag} ${shellWord(String(value))}`)
    }),
    ...filters.where.map(({ field, value }) => `--where ${shellWord(`${field}=${value}`)}`),
    ...(filters.since === undefined ? [] : [`--since ${new Date(filters.since).toISOString()}`]),
    ...(filters.until === undefined ? [] : [`--until ${new Date(filters.until).toISOString()}`])
  ].join(" ")

/** The keys that stream filters name, by role or by key: a host app's own kinds have theirs, so any stream that exists. */
const originsOf = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  sets: ReadonlyArray<KnownStreams>,
  wanted: ReadonlyArray<string>
) {
  const known = sets.flatMap((set) => [...sourcesOf(set), ["dlq", set.dlq] as const])
  const keys = yield* Effect.forEach(wanted, (name) => {
    const ofRole = known.flatMap(([role, key]) => (role === name || key === name ? [key] : []))
    if (ofRole.length > 0) return Effect.succeed(ofRole)
    return streams.streamInfo(name).pipe(
      Effect.map((info) => info !== undefined),
      Effect.catchReason("EventStreamsError", "WrongType", () => Effect.succeed(false)),
      Effect.flatMap((isStream) => {
        const names = known.map(([role, key]) => `${role} (${key})`).join(", ")
        return isStream
          ? Effect.succeed([name])
          : Effect.fail(
              new SelectionError({
                problem: `--stream ${printable(name)}: there is no such stream; there are ${names}`
              })
            )
      })
    )
  })
  return keys.flat()
})

/** Of the DLQ: why an entry waits there; an error's code says it more exactly. */
const dlqReasons = ["failed", "capped", "circuit", "parked"]

const errorCode = /^(?:HTTP_\d{3}|TIMEOUT|NETWORK|BAD_RESPONSE|INVALID|POISON)$/

/** Fields that every event of the contract may have: a name that none has is a mistake. */
const eventFieldNames = [
  "event_id",
  "user_id",
  "device_id",
  "session_id",
  "started_at",
  "completed_at",
  "audio_seconds",
  "model",
  "result",
  "prompt_tokens",
  "completion_tokens",
  "total_tokens",
  "metadata",
  "metadata_sha256",
  "traceparent"
]

/** What a selection is of. */
export interface Source {
  readonly streams: EventStreams["Service"]
  readonly sets: ReadonlyArray<KnownStreams>
  readonly place: Place
}

/** Filters that were looked at and found to mean something. */
export interface Selection {
  readonly filters: Filters
  /** The stream's keys, in the order of the sets. */
  readonly keys: ReadonlyArray<string>
  readonly matches: (entry: FailedEntry) => boolean
  readonly bounds: Bounds
  /** Fields asked for that are no event's by the contract, and have been seen in no entry so far. */
  readonly unseenFields: ReadonlySet<string>
  /** The names of fields that were seen while some is unseen. */
  readonly seenFields: ReadonlySet<string>
}

const smallest = (ids: ReadonlyArray<string>) => ids.reduce((least, id) => (compareIds(id, least) < 0 ? id : least))
const largest = (ids: ReadonlyArray<string>) => ids.reduce((most, id) => (compareIds(id, most) > 0 ? id : most))

/** Where nothing but entry ids is named, only what lies between them is read. */
const boundsOf = ({ ids, named, since, until }: Filters): Bounds => {
  const all = ids.length > 0 ? ids : named
  if (since !== undefined || until !== undefined || all.length === 0 || !all.every(isEntryId))
    return { from: since, to: until }
  return { from: smallest(all), to: largest(all) }
}

const oneOf = (wanted: ReadonlyArray<string>) => {
  const all = new Set(wanted)
  return (value: string | undefined): boolean => all.size === 0 || (value !== undefined && all.has(value))
}

/** Looks at filters before anything is read by them. */
export const select = Effect.fnUntraced(function* (
  { place, sets, streams }: Source,
  filters: Filters
): Effect.fn.Return<Selection, SelectionError | EventStreamsError> {
  const known: ReadonlyArray<string> = place === "dlq" ? dlqReasons : AbandonReason.literals
  const badReason = filters.reasons.find(
    (reason) => !known.includes(reason) && (place === "abandoned" || !errorCode.test(reason))
  )
  if (badReason !== undefined)
    return yield* new SelectionError({
      problem: `--reason ${printable(badReason)}: there is no such reason; there are ${known.join(", ")}${
        place === "dlq" ? ", and error codes such as HTTP_503" : ""
      }`
    })
  const badCode = filters.errorCodes.find((code) => !errorCode.test(code))
  if (badCode !== undefined)
    return yield* new SelectionError({
      problem:
        `--error-code ${printable(badCode)}: there is no such code; there are HTTP_<status>, TIMEOUT, NETWORK, ` +
        "BAD_RESPONSE, INVALID and POISON"
    })
  const { since, until } = filters
  if (since !== undefined && until !== undefined && since > until)
    return yield* new SelectionError({
      problem:
        "no time lies within these: the first of them is later than the last (--since, --until, --newer-than, --older-than)"
    })
  const origins = oneOf(yield* originsOf(streams, sets, filters.streams))
  const named = new Set(filters.named)
  const ids = oneOf(filters.ids)
  const eventIds = oneOf(filters.eventIds)
  const reasons = oneOf(filters.reasons)
  const codes = oneOf(filters.errorCodes)
  const users = oneOf(filters.users)
  const models = oneOf(filters.models)
  const sessions = oneOf(filters.sessions)
  const parts = filters.messages.map((part) => part.toLowerCase())
  const where = Map.groupBy(filters.where, ({ field }) => field)
  const unseenFields = new Set([...where.keys()].filter((field) => !eventFieldNames.includes(field)))
  const seenFields = new Set<string>()
  const noteFields = (entry: FailedEntry) => {
    for (const name of entry.fieldNames) {
      unseenFields.delete(name)
      if (seenFields.size < 100) seenFields.add(name)
    }
  }
  const matches = (entry: FailedEntry): boolean => {
    if (unseenFields.size > 0) noteFields(entry)
    const isNamed = named.size === 0 || named.has(entry.id) || (entry.eventId !== undefined && named.has(entry.eventId))
    return (
      isNamed &&
      ids(entry.id) &&
      (reasons(entry.said?.reason) || (place === "dlq" && reasons(entry.said?.errorCode))) &&
      codes(entry.said?.errorCode) &&
      origins(entry.said?.originStream) &&
      (parts.length === 0 || parts.some((part) => entry.said?.errorMessage.toLowerCase().includes(part) === true)) &&
      (filters.eventIds.length === 0 || eventIds(entry.eventId)) &&
      (filters.users.length === 0 || users(entry.value("user_id"))) &&
      (filters.models.length === 0 || models(entry.value("model"))) &&
      (filters.sessions.length === 0 || sessions(entry.value("session_id"))) &&
      [...where].every(([field, wanted]) => wanted.some(({ value }) => entry.value(field) === value))
    )
  }
  return {
    filters,
    keys: sets.map((set) => set[place]),
    matches,
    bounds: boundsOf(filters),
    unseenFields,
    seenFields
  }
})

/** The same filters in both places; a reason may be known in one of the two only. */
export const selectBoth = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  sets: ReadonlyArray<KnownStreams>,
  filters: Filters
): Effect.fn.Return<
  ReadonlyArray<readonly [source: Source, selection: Selection]>,
  SelectionError | EventStreamsError
> {
  const tried = yield* Effect.forEach(["abandoned", "dlq"] as const, (place) => {
    const source: Source = { streams, sets, place }
    return Effect.result(Effect.map(select(source, filters), (selection) => [source, selection] as const))
  })
  const selected = tried.flatMap((result) => (Result.isSuccess(result) ? [result.success] : []))
  const failed = tried.flatMap((result) => (Result.isFailure(result) ? [result.failure] : []))
  if (selected.length === 0 && failed[0] !== undefined) return yield* failed[0]
  return selected
})

/** Fails where a field that was asked for has turned out to be none. Asked when all entries have been looked at. */
export const checkFields = ({ seenFields, unseenFields }: Selection): Effect.Effect<void, SelectionError> => {
  const [missing] = unseenFields
  if (missing === undefined) return Effect.void
  const all = [...new Set([...eventFieldNames, ...seenFields])].join(", ")
  return Effect.fail(
    new SelectionError({ problem: `--where ${printable(missing)}: no event has such a field; there are ${all}` })
  )
}

/** Told how many entries were looked at so far, matching or not, after each page. */
export type OnLook = (looked: number) => Effect.Effect<void>

/** The entries that match, of every shard, page by page. */
export const pagesOf = (
  { place, streams }: Source,
  { bounds, keys, matches }: Selection,
  order: Order = "oldest first",
  onLook: OnLook = () => Effect.void
): Stream.Stream<ReadonlyArray<FailedEntry>, EventStreamsError> =>
  Stream.suspend(() => {
    let looked = 0
    return Stream.fromIterable(keys).pipe(
      Stream.flatMap((key) =>
        scanPages(streams, key, bounds, order).pipe(
          Stream.mapEffect((page) => {
            looked += page.length
            const matching = page.map((entry) => new FailedEntry(place, key, entry)).filter(matches)
            return Effect.as(onLook(looked), matching)
          })
        )
      )
    )
  })

/** The entries of {@link pagesOf}, one by one. */
export const entriesOf = (
  source: Source,
  selection: Selection,
  order: Order = "oldest first",
  onLook?: OnLook
): Stream.Stream<FailedEntry, EventStreamsError> =>
  Stream.flatMap(pagesOf(source, selection, order, onLook), Stream.fromIterable)

/** What matched when it was looked at: how many, and up to where in each stream. What comes later is no part of it. */
export interface Survey {
  readonly total: number
  /** The last entry meant of each stream that has one. */
  readonly last: ReadonlyMap<string, string>
}

/**
 * The entries of a survey, looked for again: none that has come since, and, where the survey had a limit, none beyond what it
 * counted.
 */
export const surveyedEntries = (
  source: Source,
  selection: Selection,
  { last }: Survey
): Stream.Stream<FailedEntry, EventStreamsError> =>
  Stream.fromIterable(last).pipe(
    Stream.flatMap(([key, to]) => entriesOf(source, { ...selection, keys: [key], bounds: { ...selection.bounds, to } }))
  )

/** Counts what matches, the oldest first and no more than `limit`. */
export const survey = Effect.fnUntraced(function* (
  source: Source,
  selection: Selection,
  limit: number,
  onEntry: (entry: FailedEntry) => Effect.Effect<void> = () => Effect.void,
  onLook?: OnLook
): Effect.fn.Return<Survey, EventStreamsError | SelectionError> {
  const last = new Map<string, string>()
  let total = 0
  yield* Stream.runForEach(Stream.take(entriesOf(source, selection, "oldest first", onLook), limit), (entry) => {
    total += 1
    last.set(entry.stream, entry.id)
    return onEntry(entry)
  })
  if (total === 0) yield* checkFields(selection)
  return { total, last }
})

/** How many entries streams have, matching or not. */
export const lengthOf = (
  { streams }: Source,
  { keys }: Pick<Selection, "keys">
): Effect.Effect<number, EventStreamsError> =>
  Effect.map(
    Effect.forEach(keys, (key) => streams.streamInfo(key), { concurrency: "unbounded" }),
    (infos) => infos.reduce((sum, info) => sum + (info?.length ?? 0), 0)
  )
