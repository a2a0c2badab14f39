/** The only code that ends an entry: acknowledges it, moves it to the DLQ, or moves it to the abandoned stream. */
import { Clock, Effect, Metric } from "effect"
import { clip, encodeAbandonedEntry, encodeDlqEntry, type Retry } from "../../domain/delivery/dlq.ts"
import type { FlatFields } from "../../domain/events/entry.ts"
import type { Source } from "../../domain/events/eventKind.ts"
import { timeOfId } from "../../domain/events/streamId.ts"
import * as Metrics from "../../services/Metrics.ts"
import { Watch } from "../redis/changeSignal.ts"
import { backoff, untilDone } from "../redis/retryRedis.ts"
import { sayOfEntry } from "./logEntry.ts"
import { laneState, type Session } from "./state/collectorRun.ts"
import { isDlq, type Lane } from "./state/consumedStream.ts"
import type { Task } from "./state/ownedEntry.ts"
import { acknowledging } from "./tracing.ts"

/** An event on its way: where it came from first, its own fields, and what befell it so far. */
export interface Passage {
  readonly source: Source
  readonly event: FlatFields
  /** From its DLQ entry; undefined on the first attempt. */
  readonly retry: Retry | undefined
}

/** A name that may no longer be this process's own moves nothing until the lease is sure again. */
const nameIsOurs = (session: Session): Effect.Effect<void> =>
  Effect.suspend(() => {
    const watch = new Watch(session.lease.changed)
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      now < session.lease.validUntil ? Effect.void : Effect.flatMap(watch.wait(), () => nameIsOurs(session))
    )
  })

/** Counts and logs an entry that Redis no longer has although nobody ended it. */
export const noteDeleted = (session: Session, lane: Lane, id: string): Effect.Effect<void> =>
  Effect.andThen(
    Metric.update(Metrics.lostByRedis("deleted"), 1),
    sayOfEntry(session, "entry.lost_by_redis", Effect.logError, { cause: "deleted", stream: lane.key, entry_id: id })
  )

/** Drops a task whose entry is another consumer's by now, or nobody's. */
export const drop = (session: Session, task: Task): Effect.Effect<void> =>
  Effect.suspend(() => {
    session.ledger.remove(task)
    if (task.lost) return Effect.void
    task.lost = true
    if (task.gone) return noteDeleted(session, task.lane, task.id)
    return Effect.andThen(
      Metric.update(Metrics.ownershipLost, 1),
      sayOfEntry(session, "entry.ownership_lost", Effect.logWarning, { stream: task.lane.key, entry_id: task.id })
    )
  })

/** Takes in that Redis has lost an entry: the event is lost, unless its delivery is under way and succeeds. */
export const lostByRedis = (session: Session, task: Task): Effect.Effect<void> =>
  Effect.suspend(() => {
    const waits = task.state === "held"
    task.gone = true
    if (waits) return drop(session, task)
    session.ledger.remove(task)
    return Effect.void
  })

/** Acknowledges an entry whose event is done, whoever owns the entry by now. */
export const finish = (session: Session, task: Task): Effect.Effect<void> =>
  Effect.suspend(() => {
    task.state = "settling"
    return Effect.map(acknowledging(session, task, undefined, session.acknowledge(task)), () =>
      session.ledger.remove(task)
    )
  })

/**
 * What Redis says of an owned entry. While its group is being created again, "not owned" says nothing: it is asked
 * again when what this process owned is its own again.
 */
export const ownershipOf = <A>(
  session: Session,
  task: Task,
  ask: Effect.Effect<A>,
  isOwned: (answer: A) => boolean
): Effect.Effect<A> =>
  Effect.filterOrElse(
    ask,
    (answer) => isOwned(answer) || laneState(session, task.lane).grouped,
    () => Effect.andThen(backoff(0), ownershipOf(session, task, ask, isOwned))
  )

/** How many of a stream's last entries are looked through for a copy whose writing was not answered. */
const lately = 256

const stands = (session: Session, stream: string, fields: FlatFields): Effect.Effect<boolean> =>
  Effect.map(untilDone(session.link, "move", session.streams.latest(stream, lately)), (entries) =>
    entries.some(
      (entry) => entry.fields.length === fields.length && entry.fields.every((text, i) => text === fields[i])
    )
  )

const move = (session: Session, task: Task, to: string, fields: FlatFields): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    task.state = "settling"
    let unsure = false
    const attempt = session.streams
      .move({ from: task.lane.key, to, consumer: session.consumer, id: task.id, remove: isDlq(task.lane), fields })
      .pipe(
        Effect.tapError(() =>
          Effect.sync(() => {
            unsure = true
          })
        )
      )
    const moving = ownershipOf(session, task, untilDone(session.link, "move", attempt), (moved) => moved).pipe(
      // Redis may have moved it and the answer been lost: then it is not owned any more, and yet this was its move.
      Effect.filterOrElse(
        (moved) => moved || !unsure,
        () => stands(session, to, fields)
      )
    )
    return nameIsOurs(session).pipe(
      Effect.andThen(acknowledging(session, task, to, moving)),
      Effect.tap((moved) => (moved ? Effect.sync(() => session.ledger.remove(task)) : drop(session, task)))
    )
  })

/** Moves an event to the DLQ, to be tried again at `at`: false where another consumer has taken the entry over. */
export const retryLater = (
  session: Session,
  task: Task,
  passage: Passage,
  failure: {
    readonly at: number
    readonly attempts: number
    readonly failedAt: number
    readonly errorCode: string
    readonly errorMessage: string
  }
): Effect.Effect<boolean> =>
  move(
    session,
    task,
    task.lane.dlq,
    encodeDlqEntry(
      {
        attempt: failure.attempts,
        not_before: failure.at,
        origin_stream: passage.source.stream,
        origin_id: passage.source.id,
        first_failed_at: passage.retry?.first_failed_at ?? failure.failedAt,
        last_failed_at: failure.failedAt,
        error_code: failure.errorCode,
        error_message: clip(failure.errorMessage)
      },
      passage.event
    )
  )

/** Moves an event to the abandoned stream and says so, once: false where another consumer has taken the entry over. */
export const abandon = (
  session: Session,
  task: Task,
  passage: Passage,
  end: {
    readonly reason: Metrics.AbandonReason
    readonly attempts: number
    readonly errorCode: string
    readonly errorMessage: string
    readonly eventId: string | undefined
  }
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const message = clip(end.errorMessage)
    const moved = yield* move(
      session,
      task,
      task.lane.abandoned,
      encodeAbandonedEntry(
        {
          reason: end.reason,
          attempts: end.attempts,
          origin_stream: passage.source.stream,
          origin_id: passage.source.id,
          first_failed_at: passage.retry?.first_failed_at ?? now,
          abandoned_at: now,
          error_code: end.errorCode,
          error_message: message
        },
        passage.event
      )
    )
    if (!moved) return false
    yield* Metric.update(Metrics.abandoned(end.reason), 1)
    yield* Effect.logError("event.abandoned").pipe(
      Effect.annotateLogs({
        reason: end.reason,
        attempts: end.attempts,
        ...(end.eventId === undefined ? undefined : { event_id: end.eventId }),
        stream: passage.source.stream,
        entry_id: passage.source.id,
        error_code: end.errorCode,
        error_message: message
      })
    )
    return true
  })

/** Seconds from the time in the original entry's id until now. */
export const ageSeconds = (source: Source, now: number): number => Math.max(0, now - timeOfId(source.id)) / 1_000
