/** The attempts that were made for an event and failed, as its DLQ and abandoned entries keep them (contract section 5). */
import { Schema } from "effect"

const maxMessage = 200
const maxConsumer = 256

/** One attempt that failed and was counted. */
const FailedAttempt = Schema.Struct({
  /** When its request began, in epoch milliseconds. */
  at: Schema.Int,
  error_code: Schema.String,
  error_message: Schema.String.check(Schema.isMaxLength(maxMessage)),
  /** The answer's; null where there was none. */
  status: Schema.NullOr(Schema.Int),
  duration_ms: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  /** Which replica made it. */
  consumer: Schema.String.check(Schema.isMaxLength(maxConsumer))
})
export type FailedAttempt = typeof FailedAttempt.Type

/** Oldest first. */
export const History = Schema.Array(FailedAttempt)
export type History = typeof History.Type

/** So many are kept, the latest: an entry grows with no number of attempts. */
const mostKept = 16

/** A history with one more attempt. */
export const withAttempt = (history: History, attempt: FailedAttempt): History => [...history, attempt].slice(-mostKept)

/** The attempts made before a replay, of all rounds. */
export const earlier = (replayed: History, history: History): History => [...replayed, ...history].slice(-mostKept)

/** An attempt as it is kept: its texts not too long, and never half a surrogate pair. */
export const keptAttempt = (attempt: FailedAttempt): FailedAttempt => ({
  ...attempt,
  error_message: attempt.error_message.slice(0, maxMessage).toWellFormed(),
  consumer: attempt.consumer.slice(0, maxConsumer).toWellFormed()
})
