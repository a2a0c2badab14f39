/** The work on one entry: decode and validate, deliver, decide, settle. */
import { Cause, type Clock, type Context, Duration, Effect, Result } from "effect"
import type { Accepted, AttemptResult } from "../../domain/delivery/attempt.ts"
import { looksLikeOutage } from "../../domain/delivery/circuit.ts"
import { decide, isRejected } from "../../domain/delivery/decide.ts"
import { decodeDlqEntry, lastStreamOf, tooFarAhead } from "../../domain/delivery/dlq.ts"
import type { Outcome } from "../../domain/delivery/outcome.ts"
import { type Replayed, takeMark } from "../../domain/delivery/replayed.ts"
import { retryDelay, retryDelays, retrySchedule } from "../../domain/delivery/retry.ts"
import { charactersOf, claimedEventId, type FlatFields, InvalidEvent } from "../../domain/events/entry.ts"
import type { EventKind, Prepared, PreparedRequest, RequestUnmade } from "../../domain/events/eventKind.ts"
import type { PartitionValues } from "../../domain/traffic/isolation.ts"
import * as Metrics from "../../services/Metrics.ts"
import { monotonicMillisOf, monotonicOfWall } from "../redis/monotonic.ts"
import { attemptOf, outcome, settleFailed } from "./failedAttempts.ts"
import { takeOfKind, waitForKind } from "./limitKind.ts"
import { logEntry } from "./logEntry.ts"
import { drop, dropDeleted } from "./lostEntries.ts"
import { askStep, type StepRefused, waitOut } from "./refusedSteps.ts"
import { circuitsChanged, holdAgain, setBack } from "./setBack.ts"
import { abandon, ageSeconds, type EventAttempts, finish, ownershipOf } from "./settle.ts"
import { type CollectorRun, type RunDeliveries, streamState } from "./state/collectorRun.ts"
import type { OwnedEntry } from "./state/ownedEntry.ts"
import { isBlockage } from "./state/partitions.ts"
import { noteOutcome, noteRequest, type ProcessSpan, passOn, processing } from "./tracing.ts"
import { holdForKind, sayResumed, withoutRequest } from "./unmadeRequests.ts"

/** Fetches the entry's fields again; undefined where there is nothing left to work on. */
const takeUp = (run: CollectorRun, entry: OwnedEntry): Effect.Effect<FlatFields | undefined, StepRefused> => {
  const { consumer, options, streams } = run
  const overdrawn = entry.deliveries + (entry.countHandOut ? 1 : 0) > options.maxDeliveries
  const handOut = entry.countHandOut && !overdrawn ? entry.deliveries + 1 : undefined
  const take = streams.take(entry.stream.key, consumer, entry.id, handOut)
  const asked = ownershipOf(
    run,
    entry,
    askStep(run, `read ${entry.stream.key}`, take),
    ({ _tag }) => _tag !== "NotOwned"
  )
  return Effect.flatMap(asked, (taken) => {
    if (taken._tag === "Deleted") return Effect.as(dropDeleted(run, entry), undefined)
    if (taken._tag === "NotOwned") return Effect.as(drop(run, entry), undefined)
    entry.deliveries = overdrawn ? options.maxDeliveries + 1 : taken.deliveries
    entry.countHandOut = false
    return Effect.succeed(taken.fields)
  })
}

interface Readable {
  readonly eventAttempts: EventAttempts
  readonly kind: EventKind
}

/** Where the event came from, its own fields, and its kind: from a DLQ entry what that says of the original. */
const openEntry = (
  run: CollectorRun,
  entry: OwnedEntry,
  firstAttempt: EventAttempts,
  now: number
): Result.Result<Readable, InvalidEvent> => {
  const { kind } = entry.stream
  if (kind !== undefined) return Result.succeed({ eventAttempts: firstAttempt, kind })
  return Result.flatMap(decodeDlqEntry(firstAttempt.event), ({ event, retry }) => {
    const farAhead = tooFarAhead(retry, now)
    if (farAhead !== undefined) return Result.fail(farAhead)
    const stream = lastStreamOf(retry)
    const origin = run.consumedStreams.find((candidate) => candidate.key === stream)
    if (origin?.kind === undefined) {
      const field = retry.stream === undefined ? "origin_stream" : "stream"
      return Result.fail(new InvalidEvent({ field: "retry", rule: `its ${field} must be a stream that is read here` }))
    }
    // Who has a schedule of its own may have had a longer one: the attempt that it promised is made.
    if (origin.kind.retry === retrySchedule && retry.attempt > retryDelays.length) {
      const rule = `its attempt must be at most ${retryDelays.length}: no schedule has the attempt after it`
      return Result.fail(new InvalidEvent({ field: "retry", rule }))
    }
    const source = { stream: retry.origin_stream, id: retry.origin_id }
    return Result.succeed({
      eventAttempts: { source, stream, event, retry, replayed: retry.replayed },
      kind: origin.kind
    })
  })
}

/** Whether a replay put an entry where it stands. */
const isReplayed = (run: CollectorRun, { id, stream: { key } }: OwnedEntry): Effect.Effect<boolean, StepRefused> =>
  askStep(run, `look for replays of ${key}`, run.streams.isReplayed(key, id))

const unmadeInTime: RequestUnmade = {
  _tag: "RequestUnmade",
  isDefect: false,
  cause: Cause.empty,
  message: "its kind does not make one in time"
}

const prepare = (
  run: CollectorRun,
  entry: OwnedEntry,
  { kind, eventAttempts }: Readable,
  now: number
): Effect.Effect<Prepared, StepRefused> => {
  const { options, sha256 } = run
  const context = {
    source: eventAttempts.source,
    now,
    firstReading: eventAttempts.retry === undefined && eventAttempts.replayed === undefined,
    maxAgeMs: Duration.toMillis(options.eventMaxAge),
    maxSkewMs: Duration.toMillis(options.eventMaxSkew),
    partedBy: run.partitions.partedBy,
    sha256
  }
  const prepared = kind.prepare(eventAttempts.event, context)
  if (Effect.isEffect(prepared)) {
    return Effect.timeoutOrElse(prepared, {
      duration: kind.timeout ?? options.apiTimeout,
      orElse: () => Effect.succeed(Result.fail(unmadeInTime))
    })
  }
  if (Result.isSuccess(prepared) || !context.firstReading || prepared.failure._tag === "RequestUnmade") {
    return Effect.succeed(prepared)
  }
  // Only a broken time bound can be a replayed event's right; nothing else is worth the look-up.
  const unbounded = kind.prepare(eventAttempts.event, { ...context, firstReading: false })
  if (Effect.isEffect(unbounded) || Result.isFailure(unbounded)) return Effect.succeed(prepared)
  return Effect.map(isReplayed(run, entry), (replayed) => (replayed ? unbounded : prepared))
}

const notePause = (run: RunDeliveries, result: AttemptResult, values: PartitionValues, now: number): void => {
  if (result._tag === "Failed" && result.status === 429 && result.retryAfterMs !== undefined) {
    run.gate.told(values, now + result.retryAfterMs, now)
  }
}

/** Counts a success, all in one step: every event comes by here. */
const noteSuccess = (
  run: CollectorRun,
  entry: OwnedEntry,
  { eventAttempts, kind }: Readable,
  { expectedCredits, eventId }: PreparedRequest,
  { creditsDeducted, jobId }: Accepted,
  attempts: number,
  now: number
): Effect.Effect<void> =>
  Effect.contextWith((metrics: Context.Context<never>) => {
    Metrics.deliveries(entry.stream.label, "delivered").updateUnsafe(1, metrics)
    streamState(run, entry.stream).counts.delivered += 1
    if (run.happenings.isFollowed) {
      const { id: entryId, stream } = eventAttempts.source
      const event = { at: now, kind: kind.name, stream, entryId, eventId, attempts }
      run.happenings.tell({ _tag: "Delivered", ...event, jobId, creditsDeducted })
    }
    Metrics.eventAge.updateUnsafe(ageSeconds(eventAttempts.source, now), metrics)
    if (creditsDeducted === undefined) return Effect.void
    // No answer may take the sum to infinity, from where no counter comes back.
    const counted = Math.min(creditsDeducted, Number.MAX_SAFE_INTEGER)
    if (counted > 0) Metrics.creditsDeducted.updateUnsafe(counted, metrics)
    if (expectedCredits === undefined || creditsDeducted === expectedCredits) return Effect.void
    Metrics.creditMismatches.updateUnsafe(1, metrics)
    return logEntry(run, "credits.mismatch", Effect.logWarning, {
      event_id: eventId,
      stream: eventAttempts.source.stream,
      entry_id: eventAttempts.source.id,
      job_id: jobId,
      expected: expectedCredits,
      deducted: creditsDeducted
    })
  })

const outcomeOf = (
  { source: { id, stream } }: EventAttempts,
  eventId: string,
  { creditsDeducted, jobId }: Accepted,
  attempts: number,
  at: number
): Outcome => ({ event_id: eventId, job_id: jobId ?? null, attempts, credits: creditsDeducted ?? null, at, stream, id })

const outcomes = { Delivered: "delivered", Retry: "retried", Abandon: "abandoned", Hold: "held" } as const

const attempt = (
  run: CollectorRun,
  entry: OwnedEntry,
  readable: Readable,
  request: PreparedRequest,
  span: ProcessSpan
): Effect.Effect<void, StepRefused> =>
  Effect.clockWith((clock) => {
    const { eventAttempts, kind } = readable
    const attemptsBefore = eventAttempts.retry?.attempt ?? 0
    const startedAt = monotonicMillisOf(clock)
    const { path, body, eventId, headers, method, partitions } = request
    const { success, timeout } = kind
    const load = run.partitions.admit(entry, partitions, startedAt)
    if (isBlockage(load)) {
      noteOutcome(span, "held", undefined)
      return setBack(run, entry, eventAttempts, partitions, load, { due: startedAt, wasTried: false })
    }
    const { ramp } = run.gate
    const { round } = ramp
    const attemptNumber = attemptsBefore + 1
    const traceparent =
      span === undefined ? passOn(run, request, attemptNumber, clock.currentTimeMillisUnsafe()) : undefined
    noteRequest(span, request, attemptNumber)
    run.apiRecord.inFlight += 1
    entry.requested = true
    const delivery = Effect.onExit(
      run.api.deliver({
        path,
        body,
        idempotencyKey: eventId,
        attempt: attemptNumber,
        traceparent,
        method,
        headers,
        success,
        timeout
      }),
      () => {
        run.apiRecord.inFlight -= 1
        return Effect.void
      }
    )
    const conclude = (result: AttemptResult, metrics: Context.Context<never>): Effect.Effect<void, StepRefused> => {
      const now = clock.currentTimeMillisUnsafe()
      const endedAt = monotonicMillisOf(clock)
      Metrics.deliveryDuration.updateUnsafe((endedAt - startedAt) / 1_000, metrics)
      const rejectStatuses = kind.rejectStatuses ?? run.options.rejectStatuses
      const rejected = isRejected(result, rejectStatuses)
      const changes = run.gate.record({ eventId, result, rejected, now: endedAt }, partitions)
      const open = result._tag === "Accepted" ? undefined : run.partitions.openOf(partitions)
      if (open === undefined && looksLikeOutage(result)) ramp.failed(round, endedAt)
      run.apiRecord.note(result, rejected, endedAt, endedAt - startedAt)
      notePause(run, result, partitions, endedAt)
      const circuitOpen = run.gate.circuitOpen || open !== undefined
      const settle = (retryInMs: number | undefined): Effect.Effect<void, StepRefused> => {
        const decision = decide({ attemptsBefore, result, circuitOpen, now, rejectStatuses, retryInMs })
        noteOutcome(span, outcomes[decision._tag], result._tag === "Failed" ? result : undefined)
        return decision._tag === "Delivered"
          ? Effect.flatMap(
              finish(
                run,
                entry,
                run.outcomesKeptMs === undefined
                  ? undefined
                  : outcomeOf(eventAttempts, eventId, decision.result, attemptNumber, now)
              ),
              () => noteSuccess(run, entry, readable, request, decision.result, attemptNumber, now)
            )
          : decision._tag === "Hold"
            ? open === undefined
              ? holdAgain(run, entry, endedAt)
              : setBack(run, entry, eventAttempts, partitions, open, { due: endedAt, wasTried: true })
            : settleFailed(run, entry, eventAttempts, {
                decision,
                eventId,
                failedAt: now,
                attempt: attemptOf(run, decision.failure, now, endedAt - startedAt)
              })
      }
      const settled =
        result._tag === "Failed"
          ? Effect.flatMap(retryDelay(kind.retry, attemptNumber, result), settle)
          : settle(undefined)
      return changes.length === 0 ? settled : Effect.andThen(circuitsChanged(run, changes, result, now), settled)
    }
    const concluded = Effect.flatMap(delivery, (result) =>
      Effect.contextWith((metrics: Context.Context<never>) => conclude(result, metrics))
    )
    return Effect.onExit(concluded, () => {
      run.partitions.leave(load)
      return Effect.void
    })
  })

// No generator on the way of an event that is delivered at once: its steps take as long as all else that is done here.
const workAt = (
  run: CollectorRun,
  entry: OwnedEntry,
  fields: FlatFields,
  replayed: Replayed | undefined,
  span: ProcessSpan,
  clock: Clock.Clock
): Effect.Effect<void, StepRefused> => {
  const now = clock.currentTimeMillisUnsafe()
  const firstAttempt: EventAttempts = {
    source: replayed?.source ?? { stream: entry.stream.key, id: entry.id },
    stream: entry.stream.key,
    event: fields,
    retry: undefined,
    replayed: replayed?.history
  }
  const opened = openEntry(run, entry, firstAttempt, now)
  const eventAttempts = Result.isSuccess(opened) ? opened.success.eventAttempts : firstAttempt
  const attempts = eventAttempts.retry?.attempt ?? 0
  const giveUp = (reason: "poison" | "invalid", errorMessage: string): Effect.Effect<void, StepRefused> => {
    const errorCode = reason.toUpperCase()
    noteOutcome(span, "abandoned", { errorCode })
    const eventId = claimedEventId(eventAttempts.event)
    return Effect.flatMap(
      abandon(run, entry, eventAttempts, { reason, attempts, errorCode, errorMessage, eventId, attempt: undefined }),
      (moved) => (moved ? outcome(entry, "abandoned") : Effect.void)
    )
  }
  if (entry.decided !== undefined) return settleFailed(run, entry, eventAttempts, entry.decided)
  const { maxDeliveries } = run.options
  if (entry.deliveries > maxDeliveries) {
    return giveUp("poison", `handed out more than ${maxDeliveries} times without an end`)
  }
  if (Result.isFailure(opened)) return giveUp("invalid", opened.failure.message)
  // The clock may have been set back since the entry was found to be due. What was set aside is due when its partition says so.
  const { retry } = eventAttempts
  const notBefore = retry === undefined || retry.set_aside !== undefined ? now : retry.not_before
  if (now < notBefore) return holdAgain(run, entry, monotonicOfWall(clock, notBefore))
  const { kind } = opened.success
  if (!run.unmade.mayTry(kind.name, monotonicMillisOf(clock))) return holdForKind(run, entry, kind, 0)
  const limit = takeOfKind(run, entry, kind)
  if (limit !== undefined) return waitForKind(run, entry, limit)
  return Effect.flatMap(prepare(run, entry, opened.success, now), (prepared) => {
    if (Result.isFailure(prepared)) {
      const { failure } = prepared
      return failure._tag === "InvalidEvent"
        ? giveUp("invalid", failure.message)
        : withoutRequest(run, entry, opened.success, failure, span, () =>
            giveUp("invalid", `entry: must make a request: ${failure.message}`)
          )
    }
    const attempted = attempt(run, entry, opened.success, prepared.success, span)
    return run.unmade.made(kind.name) ? Effect.andThen(sayResumed(run, kind), attempted) : attempted
  })
}

const work = (
  run: CollectorRun,
  entry: OwnedEntry,
  fields: FlatFields,
  span: ProcessSpan
): Effect.Effect<void, StepRefused> => {
  const mark = entry.stream.kind === undefined ? undefined : takeMark(fields)
  return mark === undefined
    ? Effect.clockWith((clock) => workAt(run, entry, fields, undefined, span, clock))
    : Effect.flatMap(isReplayed(run, entry), (isGenuine) =>
        Effect.clockWith((clock) =>
          isGenuine
            ? workAt(run, entry, mark.event, mark.replayed, span, clock)
            : workAt(run, entry, fields, undefined, span, clock)
        )
      )
}

/** From so many characters on an entry takes milliseconds to read, check and write. */
const large = 65_536

/** Large entries begin one after the other, each in a turn of the event loop of its own: all at once would block it. */
const workInTurn = (
  run: CollectorRun,
  entry: OwnedEntry,
  fields: FlatFields,
  span: ProcessSpan
): Effect.Effect<void, StepRefused> =>
  charactersOf(fields) >= large
    ? Effect.andThen(
        run.turns.withPermit(Effect.yieldNow),
        Effect.suspend(() => work(run, entry, fields, span))
      )
    : work(run, entry, fields, span)

const orWaitOut = (
  run: CollectorRun,
  entry: OwnedEntry,
  work: (span: ProcessSpan) => Effect.Effect<void, StepRefused>
): Effect.Effect<void> =>
  processing(run, entry, (span) => Effect.catch(work(span), (refused) => waitOut(run, entry, refused)))

/** Works on an entry to its end: delivered, moved, held again, or dropped because it is another consumer's. */
export const deliver = (run: CollectorRun, entry: OwnedEntry, fields: FlatFields): Effect.Effect<void> =>
  orWaitOut(run, entry, (span) => workInTurn(run, entry, fields, span))

/** The same for an entry that was held: its fields are fetched first. */
export const takeUpAndDeliver = (run: CollectorRun, entry: OwnedEntry): Effect.Effect<void> =>
  orWaitOut(run, entry, (span) =>
    Effect.flatMap(takeUp(run, entry), (fields) =>
      fields === undefined ? Effect.void : workInTurn(run, entry, fields, span)
    )
  )
