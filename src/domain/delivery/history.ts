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

/** Oldest first. */
export const History = Schema.Array(FailedAttempt)
export type History = typeof History.Type
