/** `job-collector audit …`: who changed what, when and why (contract section 8, Audit). */
import { Clock, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { auditRecordOf, auditValue } from "../domain/audit/auditRecord.ts"
import { instant } from "../domain/events/instant.ts"
import { pointInTime, pointInTimeRule } from "../domain/options/pointInTime.ts"
import { scan } from "../programs/operator/scan.ts"
import { auditKey, type StreamEntry } from "../services/EventStreams.ts"
import { firstStream } from "./audited.ts"
import { CountFlag, json } from "./flags.ts"
import { printListing } from "./listing.ts"
import { operating } from "./operator.ts"

/** From when on: a time, or how long ago. */
const since = Flag.String("since").pipe(
  Flag.filterMap(
    (text): Option.Option<(now: number) => number> =>
      pointInTime(text, 0) === undefined ? Option.none() : Option.some((now) => pointInTime(text, now) ?? now),
    () => pointInTimeRule
  ),
  Flag.withDescription("Only changes made at this time or later: ISO 8601, or an age such as 2h"),
  Flag.optional,
  Flag.map(Option.getOrUndefined)
)

const limit = CountFlag("limit", "Maximum number of changes to show").pipe(Flag.withDefault(Number.MAX_SAFE_INTEGER))

const rowOf = ({ fields, id }: StreamEntry): string => {
  const record = auditRecordOf(fields)
  if (record === undefined) return `${id}  unreadable: it does not decode`
  const { action, at, count, filter, target, who, why } = record
  const what = [action, target, filter].filter((word) => word !== undefined).join(" ")
  return `${instant(at)}  ${who}  ${what}${count === undefined ? "" : ` (${count})`}${why === undefined ? "" : `: ${why}`}`
}

const list = Command.make("list", { since, limit, json }, (given) =>
  operating(
    Effect.fnUntraced(function* (operated) {
      const from = given.since?.(yield* Clock.currentTimeMillis)
      const entries = scan(operated.streams, auditKey(firstStream(operated)), { from }, "newest first")
      yield* printListing(entries, {
        limit: given.limit,
        json: given.json,
        value: auditValue,
        row: rowOf,
        none: "no change is noted",
        what: "noted"
      })
    })
  )
).pipe(Command.withDescription("List who changed what, when and why, newest first"))

export const audit = Command.make("audit").pipe(Command.withSubcommands([list]))
