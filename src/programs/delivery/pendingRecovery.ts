/** Entries found pending: this consumer's own after a start or a lost answer, or taken over from another. */
import { Clock, Effect, Result } from "effect"
import { decodeDlqEntry } from "../../domain/delivery/dlq.ts"
import type { PendingEntry } from "../../services/EventStreams.ts"
import type { RedisError } from "../../services/Redis.ts"
import { Watch } from "../redis/changeSignal.ts"
import type { Session } from "./state/collectorRun.ts"
import { isDlq, type Lane } from "./state/consumedStream.ts"
import { pendingTask } from "./state/ownedEntry.ts"

/** May be more than there is room for: only ids are held, and those handed out least often go first of so many. */
const page = 100

/** How many more entries of a lane this process may own. */
export const roomFor = (session: Session, lane: Lane): number =>
  isDlq(lane)
    ? session.options.dlqHold - session.ledger.heldOfDlq
    : session.permits.total - (session.ledger.held - session.ledger.heldOfDlq)

/** When a pending entry is due: a DLQ entry says so itself, anything else is due at once. */
const dueAt = (session: Session, lane: Lane, id: string, now: number): Effect.Effect<number, RedisError> =>
  isDlq(lane)
    ? Effect.map(session.streams.range(lane.key, id, id, 1), ([entry]) => {
        const decoded = entry === undefined ? undefined : decodeDlqEntry(entry.fields)
        return decoded !== undefined && Result.isSuccess(decoded) ? decoded.success.retry.not_before : now
      })
    : Effect.succeed(now)

/** Holds pending entries that this process does not know yet: how many they were. */
export const holdPending = (
  session: Session,
  lane: Lane,
  pending: ReadonlyArray<PendingEntry>
): Effect.Effect<number, RedisError> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const unknown = pending.filter(({ id }) => !session.ledger.has(lane, id))
    const due = yield* Effect.forEach(unknown, ({ id }) => dueAt(session, lane, id, now), { concurrency: 16 })
    unknown.forEach(({ deliveries, id }, i) => {
      if (!session.ledger.has(lane, id)) session.ledger.hold(pendingTask(lane, id, deliveries, due[i] ?? now))
    })
    return unknown.length
  })

/** Waits until a lane has room for one more entry. */
export const awaitRoom = (session: Session, lane: Lane, loop: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    const watch = new Watch(session.ledger.changed)
    if (roomFor(session, lane) > 0) return Effect.void
    return Effect.andThen(
      session.rest(loop),
      Effect.flatMap(watch.wait(), () => awaitRoom(session, lane, loop))
    )
  })

/** Where a re-read of the own pending entries begins. */
export const fromFirst = "-"

/**
 * Reads this consumer's own pending entries and holds those it does not know: at start, and after every answer that
 * may have been lost with its connection, of a read or of a take-over. XPENDING rather than XREADGROUP `0`, since that
 * would count a hand-out of each. Where to go on once there is room again; undefined when all were read.
 */
export const rereadOwn = (session: Session, lane: Lane, from: string): Effect.Effect<string | undefined, RedisError> =>
  Effect.gen(function* () {
    let after: string | undefined = from
    let found = 0
    while (after !== undefined && roomFor(session, lane) > 0) {
      const pending: ReadonlyArray<PendingEntry> = yield* session.streams.pendingOf(
        lane.key,
        session.consumer,
        after,
        page
      )
      found += yield* holdPending(session, lane, pending)
      after = pending.at(-1)?.id
    }
    if (found > 0) {
      // With little room a long backlog comes in many pieces: only the first is worth a line.
      yield* (from === fromFirst ? Effect.logInfo("pending.reread") : Effect.logDebug("pending.reread")).pipe(
        Effect.annotateLogs({ stream: lane.key, entries: found })
      )
    }
    return after
  })
