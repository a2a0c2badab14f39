/** What a replica says of itself every few seconds, for whoever has no way to reach it (contract section 8, Replicas). */
import { Result, Schema } from "effect"
import { jsonLimitProblem } from "../json/jsonLimits.ts"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Figure = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** Times are epoch milliseconds, by the replica's own clock. */
export const ReplicaFigures = Schema.Struct({
  consumer: Schema.String,
  /** Null where nobody measures the process: an app that embeds the collector does so itself. */
  host: Schema.NullOr(Schema.String),
  version: Schema.String,
  key_id: Schema.String,
  started_at: Schema.Int,
  at: Schema.Int,
  /** As `/health` has it, and what is wrong in its words. */
  status: Schema.Literals(["ok", "degraded", "down"]),
  problems: Schema.Array(Schema.String),
  in_flight: Count,
  permits: Count,
  held: Count,
  /** Events delivered a second, of the last 15 seconds. */
  rate: Figure,
  /** How long the API took for the requests of the last while; null where there were none. */
  api_p50_ms: Schema.NullOr(Figure),
  api_p95_ms: Schema.NullOr(Figure),
  circuit: Schema.Literals(["open", "closed"]),
  /** Partitions with an open circuit of their own. */
  open_partitions: Count,
  next_probe_at: Schema.NullOr(Schema.Int),
  /** Until when a 429 has asked to wait. */
  waits_until: Schema.NullOr(Schema.Int),
  /** What waits here for rules that park it, beside what stands in the DLQ; older versions do not say. */
  parked: Schema.optionalKey(Schema.Array(Schema.Struct({ rule: Schema.String, waiting: Count }))),
  /** Of the configuration that is installed; 0 before the first. */
  config_version: Schema.Int,
  /** Of one core: 0.5 is half of it. */
  cpu: Schema.NullOr(Figure),
  memory_bytes: Schema.NullOr(Count)
})
export type ReplicaFigures = typeof ReplicaFigures.Type

const mostCharacters = 65_536

const Stored = Schema.String.check(
  Schema.makeFilter((json: string) =>
    json.length > mostCharacters ? `must be at most ${mostCharacters} characters` : jsonLimitProblem(json)
  )
).pipe(Schema.decodeTo(Schema.fromJsonString(ReplicaFigures)))
const decode = Schema.decodeUnknownResult(Stored)

/** Figures as they were left; undefined where the text says none, as one of another version may. */
export const replicaFiguresOf = (text: string): ReplicaFigures | undefined => Result.getOrUndefined(decode(text))
