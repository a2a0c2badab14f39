/** Writes what an attempt came to that did not succeed: a retry, or the event's end (contract section 5). */
import { Effect, Metric } from "effect"
import type { Failed } from "../../domain/delivery/attempt.ts"
import type { Decision } from "../../domain/delivery/decide.ts"
import type { FailedAttempt } from "../../domain/delivery/history.ts"
import * as Metrics from "../../services/Metrics.ts"
import { monotonicMillis } from "../redis/monotonic.ts"
import type { StepRefused } from "./refusedSteps.ts"
import { abandon, type EventAttempts, happenedTo, retryLater } from "./settle.ts"
import { type CollectorRun, streamState } from "./state/collectorRun.ts"
import type { Decided, OwnedEntry } from "./state/ownedEntry.ts"

export const outcome = (entry: OwnedEntry, name: Metrics.DeliveryOutcome) =>
  Metric.update(Metrics.deliveries(entry.stream.label, name), 1)

/** Says that an attempt failed: that a stream's fail with one error when it begins, and then ever more rarely. */
const sayFailed = (
  run: CollectorRun,
  { source, stream }: EventAttempts,
  { eventId }: Decided,
  { at, attempts, failure: { errorCode, errorMessage } }: Extract<Decision, { readonly _tag: "Retry" }>,
  now: number
): Effect.Effect<void> =>
  Effect.flatMap(monotonicMillis, (monotonic) => {
    const times = run.availability.logThrottle.ongoing(`failed ${stream} ${errorCode}`, monotonic)
    return (times > 0 ? Effect.logWarning("delivery.failed") : Effect.logDebug("delivery.failed")).pipe(
      Effect.annotateLogs({
        event_id: eventId,
        stream: source.stream,
        entry_id: source.id,
        attempt: attempts,
        retry_in_ms: at - now,
        error_code: errorCode,
        error_message: errorMessage,
        times: Math.max(1, times)
      })
    )
  })

/** Counts a retry that is scheduled, and says so. */
const noteRetry = (
  run: CollectorRun,
  entry: OwnedEntry,
  eventAttempts: EventAttempts,
  decided: Decided,
  decision: Extract<Decision, { readonly _tag: "Retry" }>,
  now: number
): Effect.Effect<void> => {
  const { at, attempts, failure } = decision
  streamState(run, entry.stream).counts.retried += 1
  if (run.happenings.isFollowed) {
    const event = happenedTo(run, eventAttempts, decided.eventId, attempts, now)
    const { errorCode, errorMessage } = failure
    run.happenings.tell({ _tag: "Retried", ...event, retryAt: at, errorCode, errorMessage })
  }
  return outcome(entry, "retried").pipe(
    Effect.andThen(Metric.update(Metrics.retriesScheduled(attempts), 1)),
    Effect.andThen(sayFailed(run, eventAttempts, decided, decision, now))
  )
}

/** A failed attempt as its event's history has it. */
export const attemptOf = (
  run: CollectorRun,
  { errorCode, errorMessage, status }: Failed,
  failedAt: number,
  durationMs: number
): FailedAttempt => ({
  at: failedAt - durationMs,
  error_code: errorCode,
  error_message: errorMessage,
  status: status ?? null,
  duration_ms: durationMs,
  consumer: run.consumer.name
})

/** Writes what a failed attempt came to: a retry, or its end. */
export const settleFailed = (
  run: CollectorRun,
  entry: OwnedEntry,
  eventAttempts: EventAttempts,
  decided: Decided
): Effect.Effect<void, StepRefused> => {
  const { attempt, decision, eventId, failedAt } = decided
  const { attempts, failure } = decision
  const { errorCode, errorMessage } = failure
  entry.decided = decided
  if (decision._tag === "Retry") {
    const scheduled = { at: decision.at, attempts, failedAt, errorCode, errorMessage, attempt }
    return Effect.flatMap(retryLater(run, entry, eventAttempts, scheduled), (moved) =>
      moved ? noteRetry(run, entry, eventAttempts, decided, decision, failedAt) : Effect.void
    )
  }
  const end = { reason: decision.reason, attempts, errorCode, errorMessage, eventId, attempt }
  return Effect.flatMap(abandon(run, entry, eventAttempts, end), (moved) =>
    moved ? outcome(entry, "abandoned") : Effect.void
  )
}
