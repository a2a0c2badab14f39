/** `job-collector abandoned …`: see what was abandoned, put it back, or delete it. */
import { Clock, Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { AbandonReason } from "../domain/delivery/dlq.ts"
import { fieldsToObject, shownEventId } from "../domain/events/entry.ts"
import { instant } from "../domain/events/instant.ts"
import { printable } from "../domain/text/printable.ts"
import {
  type AbandonedItem,
  abandonedItem,
  drop as dropAll,
  leave,
  makeFateOf,
  noProgress,
  type Progress,
  replay as replayAll,
  scan
} from "../programs/operator/redrive.ts"
import type { EventStreams } from "../services/EventStreams.ts"
import type { EventStreamsError } from "../services/EventStreamsError.ts"
import { attemptLines } from "./attempts.ts"
import { CountFlag, json, TextFlag } from "./flags.ts"
import { printListing } from "./listing.ts"
import {
  boundsOf,
  dryRun,
  type Filters,
  filters,
  limit,
  Misused,
  type Operated,
  operating,
  originsOf
} from "./operator.ts"
import { printAside, printJson, printLine, printLines, printRow } from "./output.ts"

const reason = Flag.Literals("reason", AbandonReason.literals).pipe(
  Flag.withDescription("Only events abandoned for this reason"),
  Flag.optional,
  Flag.map(Option.getOrUndefined)
)

const ids = Argument.variadic(
  Argument.String("id").pipe(
    Argument.withDescription("Entry ids or event ids; without any, all that match the filters")
  )
)

interface Selection extends Filters {
  readonly reason: typeof AbandonReason.Type | undefined
  readonly ids: ReadonlyArray<string>
}

const isFiltered = ({ newerThan, olderThan, reason, stream }: Selection): boolean =>
  [reason, stream, olderThan, newerThan].some((filter) => filter !== undefined)

/** What the filters and ids select, of every shard. */
const selected = Effect.fnUntraced(function* (
  operated: Operated,
  selection: Selection,
  order: "oldest first" | "newest first" = "oldest first"
) {
  const { sets, streams } = operated
  const bounds = yield* boundsOf(selection)
  const origins = yield* originsOf(operated, selection.stream)
  const wanted = new Set(selection.ids)
  return Stream.fromIterable(sets).pipe(
    Stream.flatMap(({ abandoned }) =>
      Stream.map(scan(streams, abandoned, bounds, order), (entry) => abandonedItem(abandoned, entry))
    ),
    Stream.filter(
      ({ abandoned, eventId, id }) =>
        (wanted.size === 0 || wanted.has(id) || (eventId !== undefined && wanted.has(eventId))) &&
        (selection.reason === undefined || abandoned?.reason === selection.reason) &&
        (origins === undefined || (abandoned !== undefined && origins.has(abandoned.origin_stream)))
    )
  )
})

const valueOf = ({ abandoned, event, eventId, history, id, replayed, stream }: AbandonedItem) => ({
  stream,
  id,
  event_id: eventId ?? null,
  abandoned: abandoned ?? null,
  history,
  ...(replayed.length === 0 ? undefined : { replayed }),
  event: fieldsToObject(event)
})

const rowOf = ({ abandoned, eventId, id }: AbandonedItem): string =>
  abandoned === undefined
    ? `${id}  unreadable: it does not decode`
    : `${id}  ${shownEventId(eventId ?? "-")}  ${abandoned.reason} ${instant(abandoned.abandoned_at)}  attempts ${abandoned.attempts}  ` +
      `${abandoned.origin_stream} ${abandoned.origin_id}  ${abandoned.error_code}: ${abandoned.error_message}`

const list = Command.make("list", { ids, reason, ...filters, limit, json }, (flags) =>
  operating((operated) =>
    Effect.flatMap(selected(operated, flags, "newest first"), (items) =>
      printListing(items, {
        limit: flags.limit,
        json: flags.json,
        value: valueOf,
        row: rowOf,
        none: "no abandoned event",
        what: "abandoned"
      })
    )
  )
).pipe(Command.withDescription("List abandoned events and why they were abandoned, newest first"))

const times: ReadonlySet<string> = new Set(["first_failed_at", "abandoned_at"])

const detailsOf = ({ abandoned, event, history, id, replayed, stream }: AbandonedItem): ReadonlyArray<string> => [
  `${stream} ${id}`,
  ...Object.entries({ ...abandoned, ...fieldsToObject(event) }).map(
    ([name, value]) => `  ${name.padEnd(18)} ${times.has(name) && typeof value === "number" ? instant(value) : value}`
  ),
  ...attemptLines(history, replayed)
]

const show = Command.make(
  "show",
  { id: Argument.String("id").pipe(Argument.withDescription("Entry id or event id")), json },
  (flags) =>
    operating(
      Effect.fnUntraced(function* (operated) {
        const none = { reason: undefined, stream: undefined, olderThan: undefined, newerThan: undefined }
        const found = yield* Stream.runCollect(yield* selected(operated, { ...none, ids: [flags.id] }))
        if (found.length === 0)
          return yield* new Misused({ problem: `no abandoned entry has the id ${printable(flags.id)}` })
        yield* Effect.forEach(
          found,
          (item) => (flags.json ? printJson(valueOf(item), 2) : printLines(detailsOf(item))),
          { discard: true }
        )
      })
    )
).pipe(Command.withDescription("Show one abandoned entry with its whole event"))

/** Reports progress on stderr at most once a second, and what a stop left undone. */
const reporter = (verb: string, named: boolean) => {
  let last: Progress = noProgress
  let saidAt: number | undefined
  return {
    step: (progress: Progress): Effect.Effect<void> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        last = progress
        saidAt ??= now
        if (now < saidAt + 1_000) return Effect.void
        saidAt = now
        return printAside(`${verb} ${progress.done} …`)
      }),
    interrupted: Effect.suspend(() =>
      printAside(
        `stopped: ${last.done} ${verb}, none lost or duplicated; run the same command again to continue${
          named ? " (it reports what is already done as missing)" : ""
        }`
      )
    )
  }
}

const summaryOf = (verb: string, { done, firstForeign, foreignOrigin, gone, unreadable }: Progress): string =>
  [
    `${done} ${verb}`,
    ...(gone > 0 ? [`${gone} already gone`] : []),
    ...(unreadable > 0 ? [`${unreadable} unreadable, left in place`] : []),
    ...(foreignOrigin > 0
      ? [
          `${foreignOrigin} left in place: this service is not set to read their origin stream ` +
            `(${printable(firstForeign ?? "")}); --to-stream <key> puts events elsewhere`
        ]
      : [])
  ].join(", ")

/** What was named on the command line but not done, a line each. */
const undone = (verb: string, flags: Selection, missing: ReadonlySet<string>, progress: Progress) => {
  if (flags.ids.length === 0) return []
  const left = progress.gone + progress.unreadable + progress.foreignOrigin
  return [
    ...[...missing].map(
      (id) => `no abandoned entry${isFiltered(flags) ? " that matches the filters" : ""} has the id ${printable(id)}`
    ),
    ...(left > 0 ? [`${left} of the entries named could not be ${verb}`] : [])
  ]
}

/** Counts an entry as the work would, without doing it. */
type Counted = (operated: Operated) => (progress: Progress, item: AbandonedItem) => Progress

/** Replay and drop differ in what they do to each entry. */
const redrive = (
  verb: string,
  flags: Selection & { readonly dryRun: boolean; readonly json: boolean },
  counted: Counted,
  work: (
    operated: Operated,
    items: Effect.Success<ReturnType<typeof selected>>,
    step: (progress: Progress) => Effect.Effect<void>
  ) => ReturnType<typeof dropAll>,
  before: (operated: Operated) => Effect.Effect<void, EventStreamsError | Misused> = () => Effect.void
) =>
  operating(
    Effect.fnUntraced(function* (operated) {
      yield* before(operated)
      const missing = new Set(flags.ids)
      const items = Stream.tap(yield* selected(operated, flags), ({ eventId, id }) =>
        Effect.sync(() => {
          missing.delete(id)
          if (eventId !== undefined) missing.delete(eventId)
        })
      )
      const conclude = Effect.fnUntraced(function* (progress: Progress) {
        yield* flags.json
          ? printJson({
              dry_run: flags.dryRun,
              [verb]: progress.done,
              gone: progress.gone,
              unreadable: progress.unreadable,
              foreign_origin: progress.foreignOrigin
            })
          : printLine(`${flags.dryRun ? "would be: " : ""}${summaryOf(verb, progress)}`)
        const problems = undone(verb, flags, missing, progress)
        if (problems.length > 0) return yield* new Misused({ problem: problems.join("\n") })
      })
      if (flags.dryRun) {
        const countedBy = counted(operated)
        let progress = noProgress
        yield* Stream.runForEach(items, (item) =>
          Effect.suspend(() => {
            progress = countedBy(progress, item)
            return flags.json ? Effect.void : printRow(rowOf(item))
          })
        )
        return yield* conclude(progress)
      }
      const { interrupted, step } = reporter(verb, flags.ids.length > 0)
      yield* conclude(yield* Effect.onInterrupt(work(operated, items, step), () => interrupted))
    })
  )

/** An event that nobody reads would be as good as lost. */
const mustBeRead = (streams: EventStreams["Service"], key: string): Effect.Effect<void, EventStreamsError | Misused> =>
  streams.streamInfo(key).pipe(
    Effect.map((info) => info !== undefined && info.groups > 0),
    Effect.catchReason("EventStreamsError", "WrongType", () => Effect.succeed(false)),
    Effect.flatMap((isRead) =>
      isRead
        ? Effect.void
        : Effect.fail(new Misused({ problem: `--to-stream ${printable(key)}: no consumer group reads such a stream` }))
    )
  )

const oneMore = (progress: Progress): Progress => ({ ...progress, done: progress.done + 1 })

const replay = Command.make(
  "replay",
  {
    ids,
    reason,
    ...filters,
    toStream: TextFlag("to-stream", "Put the events into this stream, instead of the one each came from"),
    rate: CountFlag("rate", "Maximum replays per second").pipe(Flag.withDefault(100)),
    dryRun,
    json
  },
  (flags) => {
    const counted: Counted = ({ sets }) => {
      const fateOf = makeFateOf(sets, flags.toStream)
      return (progress, item) => {
        const fate = fateOf(item)
        return fate._tag === "PutBack" ? oneMore(progress) : leave(progress, fate)
      }
    }
    return redrive(
      "replayed",
      flags,
      counted,
      ({ sets, streams }, items, step) => replayAll(streams, items, flags.rate, makeFateOf(sets, flags.toStream), step),
      ({ streams }) => (flags.toStream === undefined ? Effect.void : mustBeRead(streams, flags.toStream))
    )
  }
).pipe(
  Command.withDescription(
    "Put events back at the end of their streams with their attempts reset; can be interrupted and run again"
  )
)

const drop = Command.make(
  "drop",
  {
    ids,
    reason,
    ...filters,
    all: Flag.Boolean("all").pipe(Flag.withDescription("Drop everything, without a filter"), Flag.withDefault(false)),
    dryRun,
    json
  },
  (flags) =>
    flags.ids.length === 0 && !flags.all && !isFiltered(flags)
      ? Effect.fail(new Misused({ problem: "drop deletes permanently: name ids, give a filter, or pass --all" }))
      : redrive(
          "dropped",
          flags,
          () => oneMore,
          ({ streams }, items, step) => dropAll(streams, items, step)
        )
).pipe(Command.withDescription("Delete abandoned events permanently; export them first with `abandoned list --json`"))

export const abandoned = Command.make("abandoned").pipe(Command.withSubcommands([list, show, replay, drop]))
