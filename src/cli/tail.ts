/** `job-collector tail`: events as they end, a line each. */
import { Clock, Duration, Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { decodeOutcome } from "../domain/delivery/outcome.ts"
import { takeMark } from "../domain/delivery/replayed.ts"
import { type FlatFields, fieldsToObject, shownEventId } from "../domain/events/entry.ts"
import { instant } from "../domain/events/instant.ts"
import { timeOfId } from "../domain/events/streamId.ts"
import { sourcesOf } from "../domain/options/knownStreams.ts"
import { longSpan } from "../domain/text/relativeTime.ts"
import { FailedEntry } from "../programs/operator/failedEntry.ts"
import { type Followed, type FollowedStep, Follower } from "../programs/operator/follow.ts"
import { scan } from "../programs/operator/scan.ts"
import { type Selection, select } from "../programs/operator/selection.ts"
import { filters, filtersOf } from "./filters.ts"
import { DurationFlag, json } from "./flags.ts"
import { type Operated, operating } from "./operator.ts"
import { counted, printAside, printJson, printRow } from "./output.ts"

/** So many events are followed at once: one that comes beyond is not. */
const mostFollowed = 10_000

const everyMs = 1_000

/** What the filters are asked of an event that has not failed. */
const unfailed = (stream: string, id: string, event: FlatFields): FailedEntry =>
  new FailedEntry("abandoned", stream, {
    id,
    fields: [
      "abandoned",
      JSON.stringify({
        reason: "",
        attempts: 0,
        origin_stream: stream,
        origin_id: id,
        first_failed_at: 0,
        abandoned_at: 0,
        error_code: "",
        error_message: ""
      }),
      "event",
      JSON.stringify(fieldsToObject(event))
    ]
  })

/** Follows what is added to the source streams from now on. */
const makeReader = Effect.fnUntraced(function* ({ sets, streams }: Operated, selection: Selection, follower: Follower) {
  const sources = sets.flatMap((set) => sourcesOf(set).map(([, key]) => key))
  const seen = new Map<string, string>()
  for (const key of sources) seen.set(key, (yield* streams.streamInfo(key))?.lastGeneratedId ?? "0-0")
  let unfollowed = 0
  const read = Effect.forEach(
    sources,
    (key) => {
      const from = seen.get(key) ?? "0-0"
      return Stream.runForEach(scan(streams, key, { from }), ({ fields, id }) =>
        Effect.sync(() => {
          if (id === from) return
          seen.set(key, id)
          const mark = takeMark(fields)
          const entry = unfailed(key, id, mark?.event ?? fields)
          if (!selection.matches(entry)) return
          if (follower.size >= mostFollowed) unfollowed += 1
          else follower.follow({ eventId: entry.eventId, stream: key, id }, mark?.replayed.source)
        })
      )
    },
    { discard: true }
  )
  const sayUnfollowed = Effect.suspend(() => {
    if (unfollowed === 0) return Effect.void
    const line = `${counted(unfollowed)} more came than can be followed at once (${counted(mostFollowed)})`
    unfollowed = 0
    return printAside(line)
  })
  return Effect.andThen(read, sayUnfollowed)
})

interface Line {
  readonly at: string
  readonly what: "delivered" | "acknowledged" | "waits" | "abandoned"
  readonly event_id: string | null
  readonly stream: string
  readonly id: string
  readonly detail: string
}

const nameOf = ({ eventId }: { readonly eventId: string | undefined }): string | null => eventId ?? null

/** What an acknowledged event came to, as far as that was kept. */
const acknowledgedLine = Effect.fnUntraced(function* (
  { streams }: Operated,
  { eventId, id, stream }: Followed,
  now: number
) {
  const kept = eventId === undefined ? undefined : yield* streams.outcome(stream, eventId)
  const outcome = kept === undefined ? undefined : decodeOutcome(kept)
  const after = `${longSpan(Math.max(0, now - timeOfId(id)))} after it was added`
  return {
    at: instant(now),
    what: outcome === undefined ? "acknowledged" : "delivered",
    event_id: eventId ?? null,
    stream,
    id,
    detail: outcome === undefined ? after : `job ${outcome.job_id}, attempt ${outcome.attempts}, ${after}`
  } as const satisfies Line
})

const failedLine = (entry: FailedEntry, now: number): Line => {
  const { id, said, stream } = entry
  const error = said === undefined ? "unreadable" : `${said.errorCode}: ${said.errorMessage}`
  const due = said?.notBefore === undefined ? "" : `, due ${longSpan(Math.max(0, said.notBefore - now))} from now`
  return {
    at: instant(now),
    what: entry.place === "dlq" ? "waits" : "abandoned",
    event_id: nameOf(entry),
    stream,
    id,
    detail: `${said?.reason ?? "-"}, attempt ${said?.attempts ?? "-"}${due}: ${error}`
  }
}

const rowOf = ({ at, detail, event_id, what }: Line): string =>
  `${at.slice(11, 19)}  ${what.padEnd(12)}  ${shownEventId(event_id ?? "-")}  ${detail}`

export const tail = Command.make(
  "tail",
  {
    ...filters,
    for: DurationFlag("for", "End after so long, such as 10m").pipe(
      Flag.withMetavar("age"),
      Flag.optional,
      Flag.map(Option.getOrUndefined)
    ),
    json
  },
  (flags) =>
    operating(
      Effect.fnUntraced(function* (operated) {
        const { group, sets, streams } = operated
        const given = yield* filtersOf(flags)
        // A reason or a time is looked for in what comes, of which there may be none yet.
        const selection = yield* select({ streams, sets, place: "abandoned" }, given)
        const follower = new Follower(streams, group, sets)
        yield* follower.begin
        const readNew = yield* makeReader(operated, selection, follower)
        for (const { dlq } of sets) {
          yield* Stream.runForEach(Stream.take(scan(streams, dlq), mostFollowed), (found) =>
            Effect.sync(() => {
              const entry = new FailedEntry("dlq", dlq, found)
              if (selection.matches(entry)) follower.follow({ eventId: entry.eventId, stream: dlq, id: found.id })
            })
          )
        }
        yield* printAside(
          "following what is added from now on, and what waits for a retry; events that were read or are waiting already are not " +
            "seen, and of one that is acknowledged Redis tells its job only with OUTCOME_RETENTION"
        )
        const say = Effect.fnUntraced(function* (happening: FollowedStep) {
          const now = yield* Clock.currentTimeMillis
          if (happening._tag !== "Acknowledged" && !selection.matches(happening.entry)) return
          const line =
            happening._tag === "Acknowledged"
              ? yield* acknowledgedLine(operated, happening.event, now)
              : failedLine(happening.entry, now)
          yield* flags.json ? printJson(line) : printRow(rowOf(line))
        })
        const round = Effect.gen(function* () {
          yield* readNew
          for (const happening of yield* follower.look) yield* say(happening)
          yield* Effect.sleep(everyMs)
        })
        const ends =
          (yield* Clock.currentTimeMillis) +
          (flags.for === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(flags.for))
        yield* Effect.repeat(round, { while: () => Effect.map(Clock.currentTimeMillis, (now) => now < ends) })
      })
    )
)
