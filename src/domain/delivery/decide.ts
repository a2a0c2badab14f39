/** The whole delivery policy in one place: what becomes of an event after an attempt (contract sections 5 and 6). */
import type { Accepted, AttemptResult, Failed } from "./attempt.ts"

export type Decision =
  | { readonly _tag: "Delivered"; readonly result: Accepted }
  /** Moved to the DLQ and tried again, not before `at` (epoch milliseconds). */
  | { readonly _tag: "Retry"; readonly at: number; readonly attempts: number; readonly failure: Failed }
  | {
      readonly _tag: "Abandon"
      readonly reason: "exhausted" | "rejected"
      readonly attempts: number
      readonly failure: Failed
    }
  /** Stays pending, the attempt not counted: the circuit is open. */
  | { readonly _tag: "Hold" }

export interface DecideInput {
  /** Attempts made before this one. */
  readonly attemptsBefore: number
  readonly result: AttemptResult
  readonly circuitOpen: boolean
  /** Epoch milliseconds of the failure. */
  readonly now: number
  readonly rejectStatuses: ReadonlySet<number>
  /** The delay that the kind's schedule has after this attempt, in milliseconds; undefined where it was the last. */
  readonly retryInMs: number | undefined
}

/** Whether no retry can help. */
export const isRejected = (result: AttemptResult, rejectStatuses: ReadonlySet<number>): boolean =>
  result._tag === "Failed" && result.status !== undefined && rejectStatuses.has(result.status)

export const decide = (input: DecideInput): Decision => {
  const { attemptsBefore, circuitOpen, now, rejectStatuses, result, retryInMs } = input
  if (result._tag === "Accepted") return { _tag: "Delivered", result }
  const attempts = attemptsBefore + 1
  if (isRejected(result, rejectStatuses)) return { _tag: "Abandon", reason: "rejected", attempts, failure: result }
  if (circuitOpen) return { _tag: "Hold" }
  if (retryInMs === undefined) return { _tag: "Abandon", reason: "exhausted", attempts, failure: result }
  return { _tag: "Retry", at: now + Math.max(retryInMs, result.retryAfterMs ?? 0), attempts, failure: result }
}
