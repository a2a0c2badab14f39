/** `job-collector why <event_id>`: an event's story. */
import { Clock, Duration, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { instant } from "../domain/events/instant.ts"
import { isEntryId, timeOfId } from "../domain/events/streamId.ts"
import { printable } from "../domain/text/printable.ts"
import type { Chapter } from "../programs/operator/eventChapters.ts"
import { tell } from "../programs/operator/eventHistory.ts"
import { lookedValue, patience, searchedText } from "../programs/operator/eventSearch.ts"
import { attemptLines } from "./attempts.ts"
import { DurationFlag, json, TextFlag } from "./flags.ts"
import { Misused, operating } from "./operator.ts"
import { plural, printJson, printLines } from "./output.ts"

const held = (chapter: Exclude<Chapter, { readonly place: "outcome" | "abandoned" }>): string =>
  chapter.holding === undefined
    ? ""
    : `, held by ${chapter.holding.consumer}, idle ${chapter.holding.idle} ms, handed out ${plural(chapter.holding.deliveries, "time")}`

const lineOf = (chapter: Chapter): string => {
  if (chapter.place === "outcome") {
    const { at, attempts, credits, id, job_id, stream } = chapter.outcome
    return (
      `${stream} ${id}: delivered ${instant(at)} at attempt ${attempts} as job ${job_id ?? "unknown"}, ` +
      `${credits === null ? "credits unknown" : `${credits} credits`}`
    )
  }
  const { id, stream } = chapter
  switch (chapter.place) {
    case "source": {
      const came = `added ${instant(timeOfId(id))}${chapter.replayed ? " by a replay" : ""}`
      return `${stream} ${id}: ${came}, ${chapter.state}${held(chapter)}`
    }
    case "dlq": {
      const { attempt, error_code, error_message, last_failed_at, not_before, origin_id } = chapter.retry
      return (
        `${stream} ${id}: attempt ${attempt} of entry ${origin_id} failed ${instant(last_failed_at)} with ` +
        `${error_code}: ${error_message}; due ${instant(not_before)}${held(chapter)}`
      )
    }
    case "abandoned": {
      const { abandoned_at, attempts, error_code, error_message, origin_id, reason } = chapter.abandoned
      return (
        `${stream} ${id}: abandoned ${instant(abandoned_at)} as ${reason} after ${plural(attempts, "attempt")} of entry ${origin_id}: ` +
        `${error_code}: ${error_message}`
      )
    }
  }
}

/** The attempts that a place tells of. */
const attemptsOf = (chapter: Chapter): ReadonlyArray<string> => {
  switch (chapter.place) {
    case "outcome":
      return []
    case "source":
      return attemptLines([], chapter.earlier)
    case "dlq":
      return attemptLines(chapter.retry.history ?? [], chapter.retry.replayed ?? [])
    case "abandoned":
      return attemptLines(chapter.history, chapter.replayed)
  }
}

/** Where the logs go on: the messages that name an event, and the field that does. */
const logs = (eventId: string): ReadonlyArray<string> => [
  `In the logs, look for the annotation event_id ${eventId}:`,
  "  event.abandoned   abandoned, with reason, attempts and error",
  "  credits.mismatch  delivered, with different credits than expected",
  "  delivery.failed   a failed attempt (each of them with LOG_LEVEL=debug)",
  "In the traces, look for spans with the attribute job_collector.event_id."
]

export const why = Command.make(
  "why",
  {
    eventId: Argument.String("event_id").pipe(Argument.withDescription("The event's own id")),
    within: DurationFlag("within", 'How far back to search the source streams, such as 2d or "2 days"').pipe(
      Flag.withDefault(Duration.days(7))
    ),
    stream: TextFlag("stream", "Where an entry of it was seen, with --entry: it is read there at once"),
    entry: TextFlag("entry", "The id of that entry"),
    farther: Flag.Boolean("look-farther").pipe(
      Flag.withDescription("Look through all there is; without it, for a second"),
      Flag.withDefault(false)
    ),
    json
  },
  ({ entry, eventId, farther, json: asJson, stream, within }) =>
    operating(
      Effect.fnUntraced(function* ({ group, sets, streams }) {
        const from = Math.max(0, (yield* Clock.currentTimeMillis) - Duration.toMillis(within))
        if ((stream === undefined) !== (entry === undefined) || (entry !== undefined && !isEntryId(entry)))
          return yield* new Misused({ problem: "--stream and --entry go together: a stream's key and an entry's id" })
        const { chapters, searched, verdict } = yield* tell(streams, group, sets, eventId, {
          bounds: { from },
          place: stream === undefined || entry === undefined ? undefined : { stream, id: entry },
          patience: farther ? undefined : patience.usual
        })
        const reach = searchedText(searched, chapters.length)
        if (asJson)
          yield* printJson(
            { event_id: eventId, chapters, verdict, is_whole: searched.isWhole, looked: lookedValue(searched) },
            2
          )
        else if (chapters.length > 0)
          yield* printLines([
            ...chapters.flatMap((chapter) => [lineOf(chapter), ...attemptsOf(chapter)]),
            verdict,
            ...(reach === undefined ? [] : [reach]),
            ...logs(eventId)
          ])
        if (chapters.length > 0) return
        const more = reach === undefined ? "" : `\n${reach} --look-farther looks through all`
        return yield* new Misused({ problem: `${printable(eventId)}: ${verdict}${more}` })
      })
    )
)
