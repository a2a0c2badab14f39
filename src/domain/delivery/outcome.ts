/** How a delivered event ended, kept for as long as `OUTCOME_RETENTION` says (contract section 2). */
import { Result, Schema } from "effect"

export const Outcome = Schema.Struct({
  event_id: Schema.String,
  /** Null where an event kind of a host app's own knows none. */
  job_id: Schema.NullOr(Schema.String),
  /** How many were made, the successful one included. */
  attempts: Schema.Int,
  /** What the API said it deducted; null where it did not say. */
  credits: Schema.NullOr(Schema.Finite),
  /** Of the success, in epoch milliseconds. */
  at: Schema.Int,
  /** The original entry. */
  stream: Schema.String,
  id: Schema.String
})
export type Outcome = typeof Outcome.Type

/** An outcome is short, whatever an API calls its jobs. */
const longestJobId = 256

export const encodeOutcome = (outcome: Outcome): string =>
  JSON.stringify({ ...outcome, job_id: outcome.job_id?.slice(0, longestJobId).toWellFormed() ?? null })

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Outcome))

/** An outcome as it was kept; undefined where the text says none. */
export const decodeOutcome = (text: string): Outcome | undefined => Result.getOrUndefined(decode(text))
