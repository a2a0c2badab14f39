/** The flags that select entries (contract section 1, "Selecting and acting"): the same for every command. */
import { Clock, Duration, Effect, Option } from "effect"
import { Argument, Flag } from "effect/cli"
import { pointInTime, pointInTimeRule } from "../domain/options/pointInTime.ts"
import type { Filters } from "../programs/operator/selection.ts"
import { CountFlag, DurationFlag } from "./flags.ts"

/** A flag whose values are alternatives. */
const Several = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.atLeast(0))

const TimeFlag = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("time"),
    Flag.filterMap(
      (text): Option.Option<(now: number) => number> =>
        pointInTime(text, 0) === undefined ? Option.none() : Option.some((now) => pointInTime(text, now) ?? now),
      () => pointInTimeRule
    ),
    Flag.withDescription(description),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  )

const AgeFlag = (name: string, description: string) =>
  DurationFlag(name, description).pipe(Flag.withMetavar("age"), Flag.optional, Flag.map(Option.getOrUndefined))

const condition = (text: string) => {
  const at = text.indexOf("=")
  return at < 1 ? Option.none() : Option.some({ field: text.slice(0, at), value: text.slice(at + 1) })
}

/** Filters as flags. */
export const filters = {
  id: Several("id", "id", "Only the entry with this id"),
  eventId: Several("event-id", "id", "Only the event with this id"),
  reason: Several("reason", "reason", "Only those abandoned, or waiting, for this reason"),
  errorCode: Several("error-code", "code", "Only failures with this code, such as HTTP_503 or TIMEOUT"),
  message: Several("message", "text", "Only failures whose message contains this"),
  stream: Several("stream", "stream", "Only events from this stream: transcribe, process, or a key"),
  user: Several("user", "id", "Only events of this user"),
  model: Several("model", "name", "Only events of this model"),
  session: Several("session", "id", "Only events of this session"),
  where: Flag.String("where").pipe(
    Flag.withMetavar("field=value"),
    Flag.filterMap(condition, () => "field=value, such as device_id=phone-7"),
    Flag.withDescription("Only events with this value in a field"),
    Flag.atLeast(0)
  ),
  since: TimeFlag("since", "Only entries that came at this time or later"),
  until: TimeFlag("until", "Only entries that came at this time or before"),
  olderThan: AgeFlag("older-than", 'Only entries older than this, such as 2h or "2 hours"'),
  newerThan: AgeFlag("newer-than", 'Only entries newer than this, such as 30m or "30 minutes"')
}

/** Their names, which help shows together. */
export const filterNames: ReadonlySet<string> = new Set([
  "id",
  "event-id",
  "reason",
  "error-code",
  "message",
  "stream",
  "user",
  "model",
  "session",
  "where",
  "since",
  "until",
  "older-than",
  "newer-than",
  "limit"
])

/** Entries by their ids. */
export const ids = Argument.variadic(
  Argument.String("id").pipe(Argument.withDescription("Entry ids or event ids; a filter like the others"))
)

export const limit = CountFlag("limit", "No more than so many").pipe(
  Flag.withMetavar("count"),
  Flag.optional,
  Flag.map(Option.getOrUndefined)
)

export interface FilterFlags {
  readonly id: ReadonlyArray<string>
  readonly eventId: ReadonlyArray<string>
  readonly reason: ReadonlyArray<string>
  readonly errorCode: ReadonlyArray<string>
  readonly message: ReadonlyArray<string>
  readonly stream: ReadonlyArray<string>
  readonly user: ReadonlyArray<string>
  readonly model: ReadonlyArray<string>
  readonly session: ReadonlyArray<string>
  readonly where: ReadonlyArray<{ readonly field: string; readonly value: string }>
  readonly since: ((now: number) => number) | undefined
  readonly until: ((now: number) => number) | undefined
  readonly olderThan: Duration.Duration | undefined
  readonly newerThan: Duration.Duration | undefined
}

const latest = (...times: ReadonlyArray<number | undefined>): number | undefined => {
  const given = times.filter((time) => time !== undefined)
  return given.length === 0 ? undefined : Math.max(0, ...given)
}

const earliest = (...times: ReadonlyArray<number | undefined>): number | undefined => {
  const given = times.filter((time) => time !== undefined)
  return given.length === 0 ? undefined : Math.max(0, Math.min(...given))
}

/** The filters that flags mean, ages counted from now. */
export const filtersOf = (flags: FilterFlags, named: ReadonlyArray<string> = []): Effect.Effect<Filters> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const before = (age: Duration.Duration | undefined) =>
      age === undefined ? undefined : now - Duration.toMillis(age)
    return {
      named,
      ids: flags.id,
      eventIds: flags.eventId,
      reasons: flags.reason,
      errorCodes: flags.errorCode,
      messages: flags.message,
      streams: flags.stream,
      users: flags.user,
      models: flags.model,
      sessions: flags.session,
      where: flags.where,
      since: latest(flags.since?.(now), before(flags.newerThan)),
      until: earliest(flags.until?.(now), before(flags.olderThan))
    }
  })
