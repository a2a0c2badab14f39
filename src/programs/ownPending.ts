/** Entries found pending: this consumer's own after a start or a lost answer, or taken over from another. */
import { Clock, Effect, Result } from "effect"
import { decodeDlqEntry } from "../domain/dlq.ts"
import type { PendingEntry } from "../services/EventStreams.ts"
import type { RedisError } from "../services/Redis.ts"
import { isDlq, type Lane } from "./state/lanes.ts"
import type { Session } from "./state/session.ts"
import { pendingTask } from "./state/task.ts"

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

/**
 * Reads this consumer's own pending entries and holds those it does not know: at start, and after every answer that
 * may have been lost with its connection. XPENDING rather than XREADGROUP `0`, since that would count a hand-out of each.
 */
export const rereadOwn = (session: Session, lane: Lane): Effect.Effect<void, RedisError> =>
  Effect.gen(function* () {
    let after = "-"
    let found = 0
    while (roomFor(session, lane) > 0) {
      const pending = yield* session.streams.pendingOf(lane.key, session.consumer, after, page)
      const last = pending.at(-1)
      if (last === undefined) break
      found += yield* holdPending(session, lane, pending)
      after = last.id
    }
    if (found > 0) {
      yield* Effect.logInfo("pending.reread").pipe(Effect.annotateLogs({ stream: lane.key, entries: found }))
    }
  })
