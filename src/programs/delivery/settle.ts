/** The only code that ends an entry: acknowledges it, moves it to the DLQ, or moves it to the abandoned stream. */
import { Clock, Data, Effect, Metric } from "effect"
import * as Hex from "effect/encoding/Hex"
import { clip, encodeAbandonedEntry, encodeDlqEntry, type Retry, type SetAside } from "../../domain/delivery/dlq.ts"
import type { HappenedToEvent } from "../../domain/delivery/happening.ts"
import { type FailedAttempt, type History, keptAttempt, withAttempt } from "../../domain/delivery/history.ts"
import type { Outcome } from "../../domain/delivery/outcome.ts"
import { type FlatFields, fieldsToObject, keptFields, piecesOf, type Truncated } from "../../domain/events/entry.ts"
import type { Source } from "../../domain/events/eventKind.ts"
import { timeOfId } from "../../domain/events/streamId.ts"
import { textsJson } from "../../domain/json/textsJson.ts"
import * as Metrics from "../../services/Metrics.ts"
import { Waiter } from "../redis/changeSignal.ts"
import { monotonicMillis } from "../redis/monotonic.ts"
import { readPages } from "../redis/readSize.ts"
import { groupAway } from "../redis/schedules.ts"
import { drop } from "./lostEntries.ts"
import { askStep, type StepRefused, stepDone } from "./refusedSteps.ts"
import {
  type CollectorRun,
  type RunDeliveries,
  type RunIdentity,
  type RunRedis,
  streamState
} from "./state/collectorRun.ts"
import { isDlq } from "./state/consumedStream.ts"
import { type OwnedEntry, settling } from "./state/ownedEntry.ts"
import { acknowledging } from "./tracing.ts"

/** An event on its way: where it came from first, its own fields, and what befell it so far. */
export interface EventAttempts {
  readonly source: Source
  /** The stream that it is read in: where a replay put it elsewhere, not the source's. */
  readonly stream: string
  readonly event: FlatFields
  /** From its DLQ entry; undefined on the first attempt. */
  readonly retry: Retry | undefined
  /** The attempts made before it was replayed; undefined where it was not. */
  readonly replayed: History | undefined
}

/** Which event it is, as whoever follows the collector is told. */
export const happenedTo = (
  run: Pick<RunRedis, "consumedStreams">,
  { source, stream }: EventAttempts,
  eventId: string | undefined,
  attempts: number,
  at: number
): HappenedToEvent => ({
  at,
  kind: run.consumedStreams.find(({ key }) => key === stream)?.kind?.name,
  stream: source.stream,
  entryId: source.id,
  eventId,
  attempts
})

/** A name that may no longer be this process's own moves nothing until the lease is sure again. */
const nameIsOurs = (run: RunIdentity): Effect.Effect<void> =>
  Effect.suspend(() => {
    const waiter = new Waiter(run.lease.changed)
    return Effect.flatMap(monotonicMillis, (now) =>
      now < run.lease.validUntil ? Effect.void : Effect.flatMap(waiter.wait(), () => nameIsOurs(run))
    )
  })

/** Acknowledges an entry whose event is done, whoever owns the entry by now. */
export const finish = (
  run: RunIdentity & RunDeliveries,
  entry: OwnedEntry,
  outcome: Outcome | undefined
): Effect.Effect<void> =>
  Effect.suspend(() => {
    entry.state = settling
    return Effect.map(acknowledging(run, entry, undefined, run.acknowledge(entry, outcome)), () =>
      run.owned.remove(entry)
    )
  })

/** The entry's group is being created again. */
class GroupAway extends Data.TaggedError("GroupAway") {}

/**
 * What Redis says of an owned entry. While its group is being created again, "not owned" says nothing: it is asked
 * again when what this process owned is its own again.
 */
export const ownershipOf = <A>(
  run: RunRedis,
  entry: OwnedEntry,
  ask: Effect.Effect<A, StepRefused>,
  isOwned: (answer: A) => boolean
): Effect.Effect<A, StepRefused> =>
  Effect.filterOrFail(
    ask,
    (answer) => isOwned(answer) || streamState(run, entry.stream).groupAdopted,
    () => new GroupAway()
  ).pipe(
    Effect.retry({ schedule: groupAway, while: ({ _tag }) => _tag === "GroupAway" }),
    Effect.catchTag("GroupAway", Effect.die)
  )

/** How many of a stream's last entries are looked through for a copy whose writing was not answered. */
const lately = 256

const stands = (run: RunRedis, stream: string, fields: FlatFields): Effect.Effect<boolean, StepRefused> =>
  Effect.suspend(() => {
    let left = lately
    let found = false
    return readPages(
      "+",
      (to, count) =>
        askStep(
          run,
          `look for a copy in ${stream}`,
          run.streams.latest(stream, Math.min(count, left), { from: "-", to })
        ),
      (entries) => {
        left -= entries.length
        found = entries.some(
          (entry) => entry.fields.length === fields.length && entry.fields.every((text, i) => text === fields[i])
        )
        return found || left === 0
      }
    ).pipe(Effect.map(() => found))
  })

const move = (
  run: CollectorRun,
  entry: OwnedEntry,
  to: string,
  fields: FlatFields
): Effect.Effect<boolean, StepRefused> =>
  Effect.suspend(() => {
    const step = `move to ${to}`
    entry.state = settling
    let needsReread = false
    const attempt = run.streams
      .move({ from: entry.stream.key, to, consumer: run.consumer, id: entry.id, remove: isDlq(entry.stream), fields })
      .pipe(
        Effect.tapError(() =>
          Effect.sync(() => {
            needsReread = true
          })
        )
      )
    const moving = ownershipOf(run, entry, askStep(run, step, attempt), (moved) => moved).pipe(
      // Redis may have moved it and the answer been lost: then it is not owned any more, and yet this was its move.
      Effect.filterOrElse(
        (moved) => moved || !needsReread,
        () => stands(run, to, fields)
      )
    )
    return nameIsOurs(run).pipe(
      Effect.andThen(acknowledging(run, entry, to, moving)),
      Effect.tap((moved) =>
        moved
          ? Effect.andThen(
              Effect.sync(() => run.owned.remove(entry)),
              stepDone(run, step)
            )
          : drop(run, entry)
      )
    )
  })

/** Its attempts so far, and the one that failed just now. */
const historyOf = ({ retry }: EventAttempts, attempt: FailedAttempt | undefined): History => {
  const before = retry?.history ?? []
  return attempt === undefined ? before : withAttempt(before, keptAttempt(attempt))
}

/** Where it comes from, as its entries in the DLQ and the abandoned stream say it. */
const originOf = ({ source, stream }: EventAttempts) => ({
  origin_stream: source.stream,
  origin_id: source.id,
  ...(stream === source.stream ? undefined : { stream })
})

/** When its first attempt failed; undefined where none was made, though it may have been set aside. */
const firstFailedAt = ({ retry }: EventAttempts): number | undefined =>
  retry === undefined || retry.attempt === 0 ? undefined : retry.first_failed_at

/** Moves an event to the DLQ, to be tried again at `at`: false where another consumer has taken the entry over. */
export const retryLater = (
  run: CollectorRun,
  entry: OwnedEntry,
  eventAttempts: EventAttempts,
  failure: {
    readonly at: number
    readonly attempts: number
    readonly failedAt: number
    readonly errorCode: string
    readonly errorMessage: string
    readonly attempt: FailedAttempt
  }
): Effect.Effect<boolean, StepRefused> =>
  move(
    run,
    entry,
    entry.stream.dlq,
    encodeDlqEntry(
      {
        attempt: failure.attempts,
        not_before: failure.at,
        ...originOf(eventAttempts),
        first_failed_at: firstFailedAt(eventAttempts) ?? failure.failedAt,
        last_failed_at: failure.failedAt,
        error_code: failure.errorCode,
        error_message: clip(failure.errorMessage),
        history: historyOf(eventAttempts, failure.attempt),
        ...(eventAttempts.replayed === undefined ? undefined : { replayed: eventAttempts.replayed })
      },
      eventAttempts.event
    )
  )

/** Moves an event that may not run now to the DLQ, its attempts as they were: false where another consumer has taken the entry over. */
export const putAside = (
  run: CollectorRun,
  entry: OwnedEntry,
  eventAttempts: EventAttempts,
  aside: { readonly at: number; readonly reason: SetAside; readonly partition: string }
): Effect.Effect<boolean, StepRefused> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const { event, replayed, retry } = eventAttempts
    const fields = encodeDlqEntry(
      {
        attempt: retry?.attempt ?? 0,
        not_before: aside.at,
        ...originOf(eventAttempts),
        first_failed_at: retry?.first_failed_at ?? now,
        last_failed_at: retry?.last_failed_at ?? now,
        error_code: retry?.error_code ?? "",
        error_message: retry?.error_message ?? "",
        history: retry?.history ?? [],
        ...(replayed === undefined ? undefined : { replayed }),
        set_aside: aside.reason,
        partition: aside.partition
      },
      event
    )
    return move(run, entry, entry.stream.dlq, fields)
  })

/** So many characters of JSON are made in one turn of the event loop. */
const turn = 262_144

/** An event's JSON, made over several turns of the event loop where it is long; no two of them are made in the same. */
const jsonInTurns = Effect.fnUntraced(function* ({ turns }: Pick<CollectorRun, "turns">, event: FlatFields) {
  let json = ""
  let turnEnd = turn
  for (const piece of textsJson(fieldsToObject(event))) {
    json += piece
    if (json.length < turnEnd) continue
    turnEnd = json.length + turn
    yield* turns.withPermit(Effect.yieldNow)
  }
  return json
})

/** What an event was that is not kept whole, summed up over several turns of the event loop. */
const sumInTurns = Effect.fnUntraced(function* (
  { hasher, turns }: Pick<CollectorRun, "hasher" | "turns">,
  event: FlatFields
): Effect.fn.Return<Truncated> {
  const sum = hasher()
  let bytes = 0
  let hashed = 0
  for (const piece of piecesOf(event)) {
    sum.update(piece.hashed)
    bytes += piece.bytes
    hashed += piece.hashed.length
    if (hashed < turn) continue
    hashed = 0
    yield* turns.withPermit(Effect.yieldNow)
  }
  return { bytes, sha256: Hex.encode(sum.digest()) }
})

/** Moves an event to the abandoned stream and says so, once: false where another consumer has taken the entry over. */
export const abandon = Effect.fnUntraced(function* (
  run: CollectorRun,
  entry: OwnedEntry,
  eventAttempts: EventAttempts,
  end: {
    readonly reason: Metrics.AbandonReason
    readonly attempts: number
    readonly errorCode: string
    readonly errorMessage: string
    readonly eventId: string | undefined
    /** The attempt that was its end, where one was. */
    readonly attempt: FailedAttempt | undefined
  }
): Effect.fn.Return<boolean, StepRefused> {
  const now = yield* Clock.currentTimeMillis
  const message = clip(end.errorMessage)
  // Not in the turn in which it was found to be bad: of a large event each takes its time.
  yield* run.turns.withPermit(Effect.yieldNow)
  const event = keptFields(eventAttempts.event)
  const truncated = event === eventAttempts.event ? undefined : yield* sumInTurns(run, eventAttempts.event)
  const json = yield* jsonInTurns(run, event)
  const moved = yield* move(
    run,
    entry,
    entry.stream.abandoned,
    encodeAbandonedEntry(
      {
        reason: end.reason,
        attempts: end.attempts,
        ...originOf(eventAttempts),
        first_failed_at: firstFailedAt(eventAttempts) ?? now,
        abandoned_at: now,
        error_code: end.errorCode,
        error_message: message
      },
      event,
      {
        history: historyOf(eventAttempts, end.attempt),
        replayed: eventAttempts.replayed,
        truncated,
        eventJson: json
      }
    )
  )
  if (!moved) return false
  streamState(run, entry.stream).counts.abandoned += 1
  if (run.happenings.isFollowed) {
    run.happenings.tell({
      _tag: "Abandoned",
      ...happenedTo(run, eventAttempts, end.eventId, end.attempts, now),
      reason: end.reason,
      errorCode: end.errorCode,
      errorMessage: message
    })
  }
  yield* Metric.update(Metrics.abandoned(end.reason), 1)
  yield* Effect.logError("event.abandoned").pipe(
    Effect.annotateLogs({
      reason: end.reason,
      attempts: end.attempts,
      ...(end.eventId === undefined ? undefined : { event_id: end.eventId }),
      stream: eventAttempts.source.stream,
      entry_id: eventAttempts.source.id,
      error_code: end.errorCode,
      error_message: message
    })
  )
  return true
})

/** Seconds from the time in the original entry's id until now. */
export const ageSeconds = (source: Source, now: number): number => Math.max(0, now - timeOfId(source.id)) / 1_000
