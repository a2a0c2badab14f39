/** The work on one entry: decode and validate, deliver, decide, settle. */
import { Clock, type Context, Duration, Effect, Metric, Result } from "effect"
import type { Accepted, AttemptResult } from "../../domain/delivery/attempt.ts"
import { type Decision, decide, isRejected } from "../../domain/delivery/decide.ts"
import { decodeDlqEntry } from "../../domain/delivery/dlq.ts"
import { claimedEventId, type FlatFields, InvalidEvent } from "../../domain/events/entry.ts"
import type { EventKind, PreparedRequest } from "../../domain/events/eventKind.ts"
import * as Metrics from "../../services/Metrics.ts"
import { untilDone } from "../redis/retryRedis.ts"
import { sayOfEntry } from "./logEntry.ts"
import { abandon, ageSeconds, drop, finish, ownershipOf, type Passage, retryLater } from "./settle.ts"
import type { Session } from "./state/collectorRun.ts"
import type { Task } from "./state/ownedEntry.ts"
import { noteOutcome, noteRequest, type ProcessSpan, passOn, processing } from "./tracing.ts"

const outcome = (task: Task, name: Metrics.DeliveryOutcome) =>
  Metric.update(Metrics.deliveries(task.lane.label, name), 1)

/** Fetches the entry's fields again; undefined where there is nothing left to work on. */
const takeUp = (session: Session, task: Task): Effect.Effect<FlatFields | undefined> => {
  const { consumer, link, options, streams } = session
  const overdrawn = task.deliveries + (task.countHandOut ? 1 : 0) > options.maxDeliveries
  const take = streams.take(task.lane.key, consumer, task.id, task.countHandOut && !overdrawn)
  const asked = ownershipOf(session, task, untilDone(link, "take", take), ({ _tag }) => _tag !== "NotOwned")
  return Effect.flatMap(asked, (taken) => {
    if (taken._tag !== "Taken") {
      if (taken._tag === "Deleted") task.gone = true
      return Effect.as(drop(session, task), undefined)
    }
    task.deliveries = overdrawn ? options.maxDeliveries + 1 : taken.deliveries
    task.countHandOut = false
    return Effect.succeed(taken.fields)
  })
}

interface Readable {
  readonly passage: Passage
  readonly kind: EventKind
}

/** Where the event came from, its own fields, and its kind: from a DLQ entry what that says of the original. */
const openEntry = (session: Session, task: Task, fields: FlatFields): Result.Result<Readable, InvalidEvent> => {
  const { lane } = task
  if (lane.kind !== undefined) {
    const passage = { source: { stream: lane.key, id: task.id }, event: fields, retry: undefined }
    return Result.succeed({ passage, kind: lane.kind })
  }
  return Result.flatMap(decodeDlqEntry(fields), ({ event, retry }) => {
    const origin = session.lanes.find((candidate) => candidate.key === retry.origin_stream)
    return origin?.kind === undefined
      ? Result.fail(new InvalidEvent({ field: "retry", rule: "its origin_stream must be a stream that is read here" }))
      : Result.succeed({
          passage: { source: { stream: retry.origin_stream, id: retry.origin_id }, event, retry },
          kind: origin.kind
        })
  })
}

type Prepared = Result.Result<PreparedRequest, InvalidEvent>

const prepare = (session: Session, task: Task, { kind, passage }: Readable, now: number): Effect.Effect<Prepared> => {
  const { options, sha256, streams } = session
  const context = {
    source: passage.source,
    now,
    firstReading: passage.retry === undefined,
    maxAgeMs: Duration.toMillis(options.eventMaxAge),
    maxSkewMs: Duration.toMillis(options.eventMaxSkew),
    sha256
  }
  const prepared = kind.prepare(passage.event, context)
  if (Result.isSuccess(prepared) || !context.firstReading) return Effect.succeed(prepared)
  // Only a broken time bound can be a replayed event's right; nothing else is worth the look-up.
  const unbounded = kind.prepare(passage.event, { ...context, firstReading: false })
  if (Result.isFailure(unbounded)) return Effect.succeed(prepared)
  return Effect.map(untilDone(session.link, "replayed", streams.isReplayed(task.lane.key, task.id)), (replayed) =>
    replayed ? unbounded : prepared
  )
}

const notePause = (session: Session, result: AttemptResult, now: number): void => {
  if (result._tag === "Failed" && result.status === 429 && result.retryAfterMs !== undefined) {
    session.gate.pause(now + result.retryAfterMs)
  }
}

/** Counts a success, all in one step: every event comes by here. */
const noteSuccess = (
  session: Session,
  task: Task,
  passage: Passage,
  { expectedCredits, eventId }: PreparedRequest,
  { creditsDeducted, jobId }: Accepted,
  now: number
): Effect.Effect<void> =>
  Effect.contextWith((metrics: Context.Context<never>) => {
    Metrics.deliveries(task.lane.label, "delivered").updateUnsafe(1, metrics)
    Metrics.eventAge.updateUnsafe(ageSeconds(passage.source, now), metrics)
    if (creditsDeducted === undefined) return Effect.void
    if (creditsDeducted > 0) Metrics.creditsDeducted.updateUnsafe(creditsDeducted, metrics)
    if (expectedCredits === undefined || creditsDeducted === expectedCredits) return Effect.void
    Metrics.creditMismatches.updateUnsafe(1, metrics)
    return sayOfEntry(session, "credits.mismatch", Effect.logWarning, {
      event_id: eventId,
      stream: passage.source.stream,
      entry_id: passage.source.id,
      job_id: jobId,
      expected: expectedCredits,
      deducted: creditsDeducted
    })
  })

/** Counts a retry that is scheduled, and says so where asked for. */
const noteRetry = (
  task: Task,
  { source }: Passage,
  { eventId }: PreparedRequest,
  { at, attempts, failure }: Extract<Decision, { readonly _tag: "Retry" }>,
  now: number
): Effect.Effect<void> =>
  outcome(task, "retried").pipe(
    Effect.andThen(Metric.update(Metrics.retriesScheduled(String(attempts) as "1" | "2" | "3"), 1)),
    Effect.andThen(
      Effect.logDebug("delivery.failed").pipe(
        Effect.annotateLogs({
          event_id: eventId,
          stream: source.stream,
          entry_id: source.id,
          attempt: attempts,
          retry_in_ms: at - now,
          error_code: failure.errorCode,
          error_message: failure.errorMessage
        })
      )
    )
  )

/** Waits once more until it is due, or for the circuit to close; no attempt is counted. */
const holdAgain = (session: Session, task: Task, dueAt: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (task.gone) return drop(session, task)
    task.fields = undefined
    task.dueAt = dueAt
    if (!task.lost) session.ledger.hold(task)
    return Effect.void
  })

const settleFailed = (
  session: Session,
  task: Task,
  passage: Passage,
  request: PreparedRequest,
  decision: Exclude<Decision, { readonly _tag: "Delivered" }>,
  now: number
): Effect.Effect<void> => {
  if (decision._tag === "Hold") return holdAgain(session, task, now)
  const { attempts, failure } = decision
  const { errorCode, errorMessage } = failure
  if (decision._tag === "Retry") {
    const scheduled = { at: decision.at, attempts, failedAt: now, errorCode, errorMessage }
    return Effect.flatMap(retryLater(session, task, passage, scheduled), (moved) =>
      moved ? noteRetry(task, passage, request, decision, now) : Effect.void
    )
  }
  const end = { reason: decision.reason, attempts, errorCode, errorMessage, eventId: request.eventId }
  return Effect.flatMap(abandon(session, task, passage, end), (moved) =>
    moved ? outcome(task, "abandoned") : Effect.void
  )
}

const announce = (change: "opened" | "closed", result: AttemptResult): Effect.Effect<void> =>
  change === "closed"
    ? Effect.logInfo("circuit.closed")
    : Effect.logError("circuit.opened").pipe(
        Effect.annotateLogs(
          result._tag === "Failed" ? { error_code: result.errorCode, error_message: result.errorMessage } : {}
        )
      )

const outcomes = { Delivered: "delivered", Retry: "retried", Abandon: "abandoned", Hold: "held" } as const

const attempt = (
  session: Session,
  task: Task,
  passage: Passage,
  request: PreparedRequest,
  span: ProcessSpan
): Effect.Effect<void> =>
  Effect.clockWith((clock) => {
    const attemptsBefore = passage.retry?.attempt ?? 0
    const started = clock.currentTimeMillisUnsafe()
    const { path, body, eventId } = request
    const attemptNumber = attemptsBefore + 1
    const traceparent = span === undefined ? passOn(session, request, attemptNumber, started) : undefined
    noteRequest(span, request, attemptNumber)
    session.requests.inFlight += 1
    const delivery = Effect.onExit(
      session.api.deliver({ path, body, idempotencyKey: eventId, attempt: attemptNumber, traceparent }),
      () => {
        session.requests.inFlight -= 1
        return Effect.void
      }
    )
    const conclude = (result: AttemptResult, metrics: Context.Context<never>): Effect.Effect<void> => {
      const now = clock.currentTimeMillisUnsafe()
      Metrics.deliveryDuration.updateUnsafe((now - started) / 1_000, metrics)
      const { rejectStatuses } = session.options
      const rejected = isRejected(result, rejectStatuses)
      const change = session.gate.record({ eventId, result, rejected, now })
      session.apiRecord.note(result, now)
      notePause(session, result, now)
      const decision = decide({ attemptsBefore, result, circuitOpen: session.gate.open, now, rejectStatuses })
      noteOutcome(span, outcomes[decision._tag], result._tag === "Failed" ? result : undefined)
      const settled =
        decision._tag === "Delivered"
          ? Effect.flatMap(finish(session, task), () =>
              noteSuccess(session, task, passage, request, decision.result, now)
            )
          : settleFailed(session, task, passage, request, decision, now)
      return change === undefined ? settled : Effect.andThen(announce(change, result), settled)
    }
    return Effect.flatMap(delivery, (result) =>
      Effect.contextWith((metrics: Context.Context<never>) => conclude(result, metrics))
    )
  })

// No generator on the way of an event that is delivered at once: its steps take as long as all else that is done here.
const work = (session: Session, task: Task, fields: FlatFields, span: ProcessSpan): Effect.Effect<void> => {
  const opened = openEntry(session, task, fields)
  const ownPassage: Passage = { source: { stream: task.lane.key, id: task.id }, event: fields, retry: undefined }
  const passage = Result.isSuccess(opened) ? opened.success.passage : ownPassage
  const attempts = passage.retry?.attempt ?? 0
  const giveUp = (reason: "poison" | "invalid", errorMessage: string): Effect.Effect<void> => {
    const errorCode = reason.toUpperCase()
    noteOutcome(span, "abandoned", { errorCode })
    const eventId = claimedEventId(passage.event)
    return Effect.flatMap(
      abandon(session, task, passage, { reason, attempts, errorCode, errorMessage, eventId }),
      (moved) => (moved ? outcome(task, "abandoned") : Effect.void)
    )
  }
  const { maxDeliveries } = session.options
  if (task.deliveries > maxDeliveries) {
    return giveUp("poison", `handed out more than ${maxDeliveries} times without an end`)
  }
  if (Result.isFailure(opened)) return giveUp("invalid", opened.failure.message)
  return Effect.flatMap(Clock.currentTimeMillis, (now) => {
    // The clock may have been set back since the entry was found to be due.
    const notBefore = passage.retry?.not_before ?? now
    if (now < notBefore) return holdAgain(session, task, notBefore)
    return Effect.flatMap(prepare(session, task, opened.success, now), (prepared) =>
      Result.isFailure(prepared)
        ? giveUp("invalid", prepared.failure.message)
        : attempt(session, task, passage, prepared.success, span)
    )
  })
}

/** Works on a task to its end: delivered, moved, held again, or dropped because it is another consumer's. */
export const deliver = (session: Session, task: Task): Effect.Effect<void> =>
  processing(session, task, (span) =>
    task.fields === undefined
      ? Effect.flatMap(takeUp(session, task), (fields) =>
          fields === undefined ? Effect.void : work(session, task, fields, span)
        )
      : work(session, task, task.fields, span)
  )
