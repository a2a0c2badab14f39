/** Entries found pending: this consumer's own after a start or a lost answer, or taken over from another. */
import { Clock, Effect } from "effect"
import { dueTimeOf } from "../../domain/delivery/dlq.ts"
import type { FlatFields } from "../../domain/events/entry.ts"
import type { PendingEntry } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { Waiter } from "../redis/changeSignal.ts"
import { monotonicMillisOf, monotonicOfWall } from "../redis/monotonic.ts"
import { waiting } from "../supervision/loop.ts"
import type { CollectorRun } from "./state/collectorRun.ts"
import { type ConsumedStream, isDlq } from "./state/consumedStream.ts"
import { recoveredEntry } from "./state/ownedEntry.ts"

/** May be more than there is room for: only ids are held, and those handed out least often go first of so many. */
const page = 100

/** How many more entries of a stream this process may own. */
export const roomFor = (run: CollectorRun, stream: ConsumedStream): number =>
  isDlq(stream) ? run.options.dlqHold - run.owned.heldOfDlq : run.permits.total - (run.owned.held - run.owned.heldOfDlq)

/**
 * When a DLQ entry is due: its own time, set by whichever replica, is compared with the wall clock once, here; what is left
 * is waited for by the monotonic clock.
 */
export const dueAtOf = (fields: FlatFields, clock: Clock.Clock): number =>
  monotonicOfWall(clock, dueTimeOf(fields) ?? clock.currentTimeMillisUnsafe())

/** When a pending entry is due: a DLQ entry says so itself, anything else is due at once. */
const dueAt = (
  run: CollectorRun,
  stream: ConsumedStream,
  id: string,
  clock: Clock.Clock
): Effect.Effect<number, EventStreamsError> =>
  isDlq(stream)
    ? Effect.map(run.streams.range(stream.key, id, id, 1), ([entry]) => dueAtOf(entry?.fields ?? [], clock))
    : Effect.succeed(monotonicMillisOf(clock))

/** Holds pending entries that this process does not know yet: how many they were. */
export const holdPending = Effect.fnUntraced(function* (
  run: CollectorRun,
  stream: ConsumedStream,
  pending: ReadonlyArray<PendingEntry>
): Effect.fn.Return<number, EventStreamsError> {
  const clock = yield* Clock.Clock
  const readAtNanos = yield* Clock.monotonicTimeNanos
  const unknown = pending.filter(({ id }) => !run.owned.has(stream, id))
  const due = yield* Effect.forEach(unknown, ({ id }) => dueAt(run, stream, id, clock), { concurrency: 16 })
  unknown.forEach(({ deliveries, id }, i) => {
    if (!run.owned.has(stream, id))
      run.owned.hold(recoveredEntry(stream, id, readAtNanos, deliveries), due[i] ?? monotonicMillisOf(clock))
  })
  return unknown.length
})

/** Waits until a stream has room for one more entry. */
export const awaitRoom = (run: CollectorRun, stream: ConsumedStream): Effect.Effect<void> =>
  Effect.suspend(() => {
    const waiter = new Waiter(run.owned.changed)
    if (roomFor(run, stream) > 0) return Effect.void
    return Effect.flatMap(waiting(waiter.wait()), () => awaitRoom(run, stream))
  })

/** Where a re-read of the own pending entries begins. */
export const fromFirst = "-"

/**
 * Reads this consumer's own pending entries and holds those it does not know: at start, and after every answer that
 * may have been lost with its connection, of a read or of a take-over. XPENDING rather than XREADGROUP `0`, since that
 * would count a hand-out of each. Where to go on once there is room again; undefined when all were read.
 */
export const rereadOwn = Effect.fnUntraced(function* (
  run: CollectorRun,
  stream: ConsumedStream,
  from: string
): Effect.fn.Return<string | undefined, EventStreamsError> {
  let after: string | undefined = from
  let found = 0
  while (after !== undefined && roomFor(run, stream) > 0) {
    const pending: ReadonlyArray<PendingEntry> = yield* run.streams.pendingOf(stream.key, run.consumer, after, page)
    found += yield* holdPending(run, stream, pending)
    after = pending.at(-1)?.id
  }
  if (found > 0) {
    // With little room a long backlog comes in many pieces: only the first is worth a line.
    yield* (from === fromFirst ? Effect.logInfo("pending.reread") : Effect.logDebug("pending.reread")).pipe(
      Effect.annotateLogs({ stream: stream.key, entries: found })
    )
  }
  return after
})
