/** How the service fares, as the admin API answers it: the overview, and its parts each by itself. */
import { Schema } from "effect"
import { instant } from "../../domain/events/instant.ts"
import type { Minute as CountedMinute } from "../../domain/replicas/minutes.ts"
import { ReplicaFigures } from "../../domain/replicas/replicaFigures.ts"
import { secondsToClear } from "../../domain/replicas/verdict.ts"
import type { Glance, StreamGlance } from "../../programs/operator/glance.ts"
import type { Overview as Seen } from "../../programs/operator/overview.ts"
import { ruleValue } from "../../programs/operator/ruleValue.ts"
import { Rule } from "./answers.ts"

const Rate = Schema.NullOr(Schema.Finite)
const Text = Schema.NullOr(Schema.String)

const StreamFigures = Schema.Struct({
  stream: Schema.String,
  role: Schema.String,
  length: Schema.Int,
  has_group: Schema.Boolean,
  /** False where entries wait that no replica has asked for in a minute. */
  attended: Schema.Boolean,
  /** Not read yet; null where Redis cannot tell. */
  lag: Schema.NullOr(Schema.Int),
  pending: Schema.Int,
  /** Entries a second; null until there have been two looks. */
  arriving: Rate
})

const streamValue = ({
  arriving,
  attended,
  label,
  lag,
  length,
  pending,
  read,
  stream
}: StreamGlance): typeof StreamFigures.Type => ({
  stream,
  role: label,
  length,
  has_group: read,
  attended,
  lag: lag ?? null,
  pending,
  arriving: arriving ?? null
})

export const Streams = Schema.Array(StreamFigures)
export const streamsValue = ({ streams }: Glance): typeof Streams.Type => streams.map(streamValue)

export const Replicas = Schema.Struct({
  replicas: Schema.Array(ReplicaFigures),
  /** Replicas that tell of themselves in a way that this version does not understand. */
  unreadable: Schema.Int
})

const Count = Schema.Int
const Minute = Schema.Struct({
  at: Schema.String,
  /** By stream. */
  streams: Schema.Record(
    Schema.String,
    Schema.Struct({ received: Count, delivered: Count, retried: Count, abandoned: Count, set_aside: Count })
  )
})

/** Minutes in which nothing happened are left out. */
export const Minutes = Schema.Array(Minute)
export const minutesValue = (minutes: ReadonlyArray<CountedMinute>): typeof Minutes.Type =>
  minutes.map(({ at, streams }) => ({ at: instant(at), streams: Object.fromEntries(streams) }))

export const Overview = Schema.Struct({
  at: Schema.String,
  verdict: Schema.Struct({ level: Schema.Literals(["good", "warning", "bad"]), text: Schema.String }),
  /** Entries a second; null until there have been two looks. */
  arriving: Rate,
  delivered: Schema.Finite,
  backlog: Schema.NullOr(Schema.Int),
  /** In how many seconds the backlog is gone at the present rates; null where it does not shrink or that is not known. */
  backlog_gone_in_seconds: Rate,
  streams: Streams,
  dlq: Schema.Struct({ length: Schema.Int, next_due: Text }),
  abandoned: Schema.Struct({
    length: Schema.Int,
    oldest: Text,
    last_hour: Schema.Int,
    last_hour_is_more: Schema.Boolean
  }),
  ...Replicas.fields,
  rules: Schema.Array(Rule),
  rules_problem: Text,
  memory: Schema.NullOr(Schema.Struct({ used: Schema.Number, limit: Schema.Number }))
})

const instantOrNull = (at: number | undefined): string | null => (at === undefined ? null : instant(at))

export const overviewValue = (seen: Seen): typeof Overview.Type => ({
  at: instant(seen.at),
  verdict: seen.verdict,
  arriving: seen.arriving ?? null,
  delivered: seen.delivered,
  backlog: seen.backlog ?? null,
  backlog_gone_in_seconds: secondsToClear(seen) ?? null,
  streams: streamsValue(seen),
  dlq: {
    length: seen.streams.reduce((sum, { label, length }) => sum + (label === "dlq" ? length : 0), 0),
    next_due: instantOrNull(seen.nextDue)
  },
  abandoned: {
    length: seen.abandoned.length,
    oldest: instantOrNull(seen.abandoned.oldestAt),
    last_hour: seen.recent.count,
    last_hour_is_more: seen.recent.isMore
  },
  replicas: seen.replicas,
  unreadable: seen.unreadable,
  rules: seen.rules.map(ruleValue),
  rules_problem: seen.rulesProblem ?? null,
  memory: seen.memory ?? null
})
