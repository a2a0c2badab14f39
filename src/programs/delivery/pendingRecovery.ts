/** Entries found pending: this consumer's own after a start or a lost answer, or taken over from another. */
import { Clock, Effect } from "effect"
import { dueTimeOf } from "../../domain/delivery/dlq.ts"
import type { FlatFields } from "../../domain/events/entry.ts"
import type { PendingEntry } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { Waiter } from "../redis/changeSignal.ts"
import { monotonicMillis, monotonicMillisOf, monotonicOfWall } from "../redis/monotonic.ts"
import { waiting } from "../supervision/loop.ts"
import { type CollectorRun, streamState } from "./state/collectorRun.ts"
import { type ConsumedStream, isDlq } from "./state/consumedStream.ts"
import { type OwnedEntry, recoveredEntry } from "./state/ownedEntry.ts"

/** May be more than there is room for: only ids are held, and those handed out least often go first of so many. */
const page = 100

/** Most pages in a row, so that the reader of a long backlog shows that it is alive. */
const mostPages = 100

/** How many more entries of the DLQ may be held without another giving way. */
const freeOfDlq = ({ options, owned }: CollectorRun): number => options.dlqHold - owned.heldOfDlq

/** Whether a DLQ entry is held that is due later than at `time`, and gives way to one that is due then. */
const someGivesWay = ({ owned }: CollectorRun, time: number): boolean => {
  const due = owned.latestOfDlq()?.due
  return typeof due === "number" && due > time
}

/** How many more entries of a stream this process may take on. */
export const roomFor = (run: CollectorRun, stream: ConsumedStream, now: number): number => {
  if (!isDlq(stream)) return run.permits.total - (run.owned.held - run.owned.heldOfDlq)
  const free = freeOfDlq(run)
  return free <= 0 && someGivesWay(run, now) ? page : free
}

/**
 * Holds a DLQ entry until it is due. Where too many are held the one due last gives way: it is forgotten here and stays
 * pending, so that whoever fills the DLQ with entries due late holds up none that is due soon.
 */
export const holdRetry = (run: CollectorRun, entry: OwnedEntry, due: number): void => {
  run.owned.hold(entry, due)
  const last = freeOfDlq(run) < 0 ? run.owned.latestOfDlq() : undefined
  if (last === undefined || last.due === "first") return
  run.owned.remove(last.entry)
  const state = streamState(run, last.entry.stream)
  state.gaveWayDue = Math.min(last.due, state.gaveWayDue ?? last.due)
}

/** Whether some of what gave way is due by `time`, and would have room now. */
export const mayReturn = (run: CollectorRun, stream: ConsumedStream, time: number): boolean => {
  const { gaveWayDue } = streamState(run, stream)
  return gaveWayDue !== undefined && gaveWayDue <= time && (freeOfDlq(run) > 0 || someGivesWay(run, gaveWayDue))
}

/**
 * When a DLQ entry is due: its own time, set by whichever replica, is compared with the wall clock once, here; what is left
 * is waited for by the monotonic clock.
 */
export const dueAtOf = (fields: FlatFields, clock: Clock.Clock): number =>
  monotonicOfWall(clock, dueTimeOf(fields, clock.currentTimeMillisUnsafe()))

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

/** Holds pending entries that this process does not know yet: how many it has taken on. */
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
    if (run.owned.has(stream, id)) return
    const entry = recoveredEntry(stream, id, readAtNanos, deliveries)
    const dueAt = due[i] ?? monotonicMillisOf(clock)
    if (isDlq(stream)) holdRetry(run, entry, dueAt)
    else run.owned.hold(entry, dueAt)
  })
  return unknown.filter(({ id }) => run.owned.has(stream, id)).length
})

/** Waits until a stream has room for one more entry: for how many it has. */
export const awaitRoom = (run: CollectorRun, stream: ConsumedStream): Effect.Effect<number> =>
  Effect.clockWith((clock) => {
    const waiter = new Waiter(run.owned.changed)
    const room = roomFor(run, stream, monotonicMillisOf(clock))
    if (room > 0) return Effect.succeed(room)
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
  for (let pages = 0; after !== undefined && pages < mostPages; pages++) {
    if (roomFor(run, stream, yield* monotonicMillis) <= 0) break
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
