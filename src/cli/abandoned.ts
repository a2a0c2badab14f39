/** `job-collector abandoned …`: see what was given up, put it back, or delete it. */
import { Clock, Console, Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { AbandonReason } from "../domain/delivery/dlq.ts"
import { fieldsToObject } from "../domain/events/entry.ts"
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
import type { EventStreamsError } from "../services/EventStreamsError.ts"
import { json } from "./flags.ts"
import {
  boundsOf,
  dryRun,
  type Filters,
  filters,
  isOrigin,
  limit,
  Misused,
  type Operated,
  operating
} from "./operator.ts"

const reason = Flag.Literals("reason", AbandonReason.literals).pipe(
  Flag.withDescription("Only what was given up for this reason"),
  Flag.optional,
  Flag.map(Option.getOrUndefined)
)

const ids = Argument.variadic(
  Argument.String("id").pipe(Argument.withDescription("Ids of abandoned entries, or event ids"))
)

interface Selection extends Filters {
  readonly reason: typeof AbandonReason.Type | undefined
  readonly ids: ReadonlyArray<string>
}

const isFiltered = ({ newerThan, olderThan, reason, stream }: Selection): boolean =>
  [reason, stream, olderThan, newerThan].some((filter) => filter !== undefined)

/** What the filters and ids select, of every shard. */
const selected = ({ sets, streams }: Operated, selection: Selection) =>
  Effect.map(boundsOf(selection), (bounds) => {
    const wanted = new Set(selection.ids)
    return Stream.fromIterable(sets).pipe(
      Stream.flatMap(({ abandoned }) =>
        Stream.map(scan(streams, abandoned, bounds), (entry) => abandonedItem(abandoned, entry))
      ),
      Stream.filter(
        ({ abandoned, eventId, id }) =>
          (wanted.size === 0 || wanted.has(id) || (eventId !== undefined && wanted.has(eventId))) &&
          (selection.reason === undefined || abandoned?.reason === selection.reason) &&
          isOrigin(sets, selection.stream, abandoned?.origin_stream)
      )
    )
  })

const objectOf = ({ abandoned, event, eventId, id, stream }: AbandonedItem) => ({
  stream,
  id,
  event_id: eventId ?? null,
  abandoned: abandoned ?? null,
  event: fieldsToObject(event)
})

const lineOf = ({ abandoned, eventId, id }: AbandonedItem): string =>
  abandoned === undefined
    ? `${id}  unreadable: it does not decode`
    : printable(
        `${id}  ${eventId ?? "-"}  ${abandoned.reason} ${instant(abandoned.abandoned_at)}  attempts ${abandoned.attempts}  ` +
          `${abandoned.origin_stream} ${abandoned.origin_id}  ${abandoned.error_code}: ${abandoned.error_message}`
      )

const list = Command.make("list", { ids, reason, ...filters, limit, json }, (flags) =>
  operating((operated) =>
    Effect.gen(function* () {
      let shown = 0
      yield* Stream.runForEach(Stream.take(yield* selected(operated, flags), flags.limit), (item) => {
        shown += 1
        return Console.log(flags.json ? JSON.stringify(objectOf(item)) : lineOf(item))
      })
      if (!flags.json) yield* Console.log(shown === 0 ? "nothing was given up" : `${shown} abandoned`)
    })
  )
).pipe(Command.withDescription("Shows what was given up, and why; with --json one object a line"))

const show = Command.make(
  "show",
  { id: Argument.String("id").pipe(Argument.withDescription("Id of an abandoned entry, or an event id")), json },
  (flags) =>
    operating((operated) =>
      Effect.gen(function* () {
        const none = { reason: undefined, stream: undefined, olderThan: undefined, newerThan: undefined }
        const found = yield* Stream.runCollect(yield* selected(operated, { ...none, ids: [flags.id] }))
        if (found.length === 0) return yield* new Misused({ problem: `no abandoned entry has the id ${flags.id}` })
        yield* Effect.forEach(
          found,
          (item) => {
            if (flags.json) return Console.log(JSON.stringify(objectOf(item), null, 2))
            const rows = Object.entries({ ...item.abandoned, ...fieldsToObject(item.event) })
            const times = new Set(["first_failed_at", "abandoned_at"])
            const lines = rows.map(([name, value]) =>
              printable(`  ${name.padEnd(18)} ${times.has(name) && typeof value === "number" ? instant(value) : value}`)
            )
            return Console.log([`${item.stream} ${item.id}`, ...lines].join("\n"))
          },
          { discard: true }
        )
      })
    )
).pipe(Command.withDescription("Shows one abandoned entry with its whole event"))

/** Says on stderr how far it is, at most once a second, and what a stop left. */
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
        return Console.error(`${verb} ${progress.done} …`)
      }),
    interrupted: Effect.suspend(() =>
      Console.error(
        `stopped: ${last.done} ${verb}, none lost or doubled; the same command again goes on with the rest${
          named ? ", and names what is done as missing" : ""
        }`
      )
    )
  }
}

const summaryOf = (verb: string, { done, gone, noReader, unreadable }: Progress): string =>
  [
    `${done} ${verb}`,
    ...(gone > 0 ? [`${gone} gone before their turn`] : []),
    ...(unreadable > 0 ? [`${unreadable} unreadable, left where they are`] : []),
    ...(noReader > 0 ? [`${noReader} of a stream that nobody reads, left where they are`] : [])
  ].join(", ")

/** What was named on the command line and not done, a line each. */
const undone = (verb: string, flags: Selection, missing: ReadonlySet<string>, progress: Progress) => {
  if (flags.ids.length === 0) return []
  const left = progress.gone + progress.unreadable + progress.noReader
  return [
    ...[...missing].map(
      (id) => `no abandoned entry${isFiltered(flags) ? " that the filters select" : ""} has the id ${id}`
    ),
    ...(left > 0 ? [`${left} of the entries named could not be ${verb}`] : [])
  ]
}

/** Counts an entry as the work would, without doing it. */
type Counted = (
  operated: Operated
) => (progress: Progress, item: AbandonedItem) => Effect.Effect<Progress, EventStreamsError>

/** Replay and drop differ in what they do to each entry. */
const redrive = (
  verb: string,
  flags: Selection & { readonly dryRun: boolean; readonly json: boolean },
  counted: Counted,
  work: (
    operated: Operated,
    items: Effect.Success<ReturnType<typeof selected>>,
    step: (progress: Progress) => Effect.Effect<void>
  ) => ReturnType<typeof dropAll>
) =>
  operating((operated) =>
    Effect.gen(function* () {
      const missing = new Set(flags.ids)
      const items = Stream.tap(yield* selected(operated, flags), ({ eventId, id }) =>
        Effect.sync(() => {
          missing.delete(id)
          if (eventId !== undefined) missing.delete(eventId)
        })
      )
      const conclude = (progress: Progress) =>
        Effect.gen(function* () {
          yield* Console.log(
            flags.json
              ? JSON.stringify({
                  dry_run: flags.dryRun,
                  [verb]: progress.done,
                  gone: progress.gone,
                  unreadable: progress.unreadable,
                  no_reader: progress.noReader
                })
              : flags.dryRun
                ? `would be: ${summaryOf(verb, progress)}`
                : summaryOf(verb, progress)
          )
          const problems = undone(verb, flags, missing, progress)
          if (problems.length > 0) return yield* new Misused({ problem: problems.join("\n") })
        })
      if (flags.dryRun) {
        const countedBy = counted(operated)
        let progress = noProgress
        yield* Stream.runForEach(items, (item) =>
          Effect.flatMap(countedBy(progress, item), (next) => {
            progress = next
            return flags.json ? Effect.void : Console.log(lineOf(item))
          })
        )
        return yield* conclude(progress)
      }
      const { interrupted, step } = reporter(verb, flags.ids.length > 0)
      yield* conclude(yield* Effect.onInterrupt(work(operated, items, step), () => interrupted))
    })
  )

const oneMore = (progress: Progress): Progress => ({ ...progress, done: progress.done + 1 })

const replay = Command.make(
  "replay",
  {
    ids,
    reason,
    ...filters,
    rate: Flag.Int("rate").pipe(
      Flag.filter(
        (rate) => rate >= 1,
        () => "must be at least 1"
      ),
      Flag.withDescription("At most so many a second"),
      Flag.withDefault(100)
    ),
    dryRun,
    json
  },
  (flags) => {
    const fateIn = ({ sets, streams }: Operated) => makeFateOf(streams, sets)
    const counted: Counted = (operated) => {
      const fateOf = fateIn(operated)
      return (progress, item) =>
        Effect.map(fateOf(item), (fate) => (fate._tag === "PutBack" ? oneMore(progress) : leave(progress, fate)))
    }
    return redrive("replayed", flags, counted, (operated, items, step) =>
      replayAll(operated.streams, items, flags.rate, fateIn(operated), step)
    )
  }
).pipe(
  Command.withDescription(
    "Puts events back at their streams' ends, their attempts starting over; may be stopped and run again"
  )
)

const drop = Command.make(
  "drop",
  {
    ids,
    reason,
    ...filters,
    all: Flag.Boolean("all").pipe(Flag.withDescription("Everything, without a filter"), Flag.withDefault(false)),
    dryRun,
    json
  },
  (flags) =>
    flags.ids.length === 0 && !flags.all && !isFiltered(flags)
      ? Effect.fail(new Misused({ problem: "drop deletes for good: name ids or a filter, or say --all" }))
      : redrive(
          "dropped",
          flags,
          () => (progress) => Effect.succeed(oneMore(progress)),
          ({ streams }, items, step) => dropAll(streams, items, step)
        )
).pipe(Command.withDescription("Deletes abandoned events for good; export them first with list --json"))

export const abandoned = Command.make("abandoned").pipe(
  Command.withDescription("See and redrive what was given up"),
  Command.withSubcommands([list, show, replay, drop])
)
