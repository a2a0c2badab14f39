/** Entries found pending: this consumer's own after a start or a lost answer, or taken over from another. */
import { Clock, Effect } from "effect"
import { dlqWaitOf } from "../../domain/delivery/dlq.ts"
import type { FlatFields } from "../../domain/events/entry.ts"
import { idBefore } from "../../domain/events/streamId.ts"
import { type PartitionKey, type PartitionValues, partitionOfName } from "../../domain/traffic/isolation.ts"
import type { PendingEntry, StreamEntry } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { Waiter } from "../redis/changeSignal.ts"
import { monotonicMillis, monotonicMillisOf, monotonicOfWall } from "../redis/monotonic.ts"
import { ReadSize } from "../redis/readSize.ts"
import { waiting } from "../supervision/loop.ts"
import { type CollectorRun, streamState } from "./state/collectorRun.ts"
import { type ConsumedStream, isDlq } from "./state/consumedStream.ts"
import { type OwnedEntry, recoveredEntry } from "./state/ownedEntry.ts"
import type { Blockage } from "./state/partitions.ts"

/** May be more than there is room for: only ids are held, and those handed out least often go first of so many. */
const page = 100

/** Most pages in a row, so that the reader of a long backlog shows that it is alive. */
const mostPages = 100

/** How many more entries of the DLQ may be held without another giving way. */
const freeOfDlq = ({ options, owned }: CollectorRun): number => options.dlqHold - owned.heldOfDlq

/** Whether a DLQ entry is held that waits for a partition or is due later than at `time`, and gives way to one that is due then. */
const someGivesWay = ({ owned }: CollectorRun, time: number): boolean => {
  if (owned.waitingOfDlq > 0) return true
  const due = owned.latestOfDlq()?.due
  return typeof due === "number" && due > time
}

/** How many more entries of a stream this process may take on. */
export const roomFor = (run: CollectorRun, stream: ConsumedStream, now: number): number => {
  if (!isDlq(stream)) return run.permits.total - run.owned.heldOfSource
  const free = freeOfDlq(run)
  return free <= 0 && someGivesWay(run, now) ? page : free
}

/** Forgets a DLQ entry that waits for a partition: it stays pending, and is looked for when that one lets it go on. */
const leave = (run: CollectorRun, { id, stream }: OwnedEntry, partition: PartitionKey, now: number): void =>
  run.left.note(stream, partition, idBefore(id), now)

/**
 * Whether one more DLQ entry may be held that waits for a partition: each leaves as much room as it takes, and half of it to those
 * whose turn comes soon, so that none keeps out the others.
 */
const mayWait = ({ options, owned, partitions }: CollectorRun, { partition, reason }: Blockage): boolean =>
  partitions.waitingOf(partition) < options.dlqHold / (reason === "capped" ? 1 : 2) - owned.heldOfDlq

/** Has a DLQ entry wait for a partition, where there is room for one more; else it is left pending. */
export const waitInDlq = (
  run: CollectorRun,
  entry: OwnedEntry,
  values: PartitionValues,
  blockage: Blockage,
  order: { readonly due: number; readonly now: number; readonly wasTried: boolean }
): void => {
  if (mayWait(run, blockage)) {
    run.partitions.wait(entry, values, blockage, order)
  } else {
    run.owned.remove(entry)
    leave(run, entry, blockage.partition, order.now)
  }
}

/** What a DLQ entry waits for, by the monotonic clock. */
export interface RetryWait {
  readonly due: number
  readonly setAsideFor: string | undefined
}

/** An event's values where only one of its partitions is known. */
const valuesOf = ({ partitions }: CollectorRun, { field, value }: PartitionKey): PartitionValues =>
  partitions.partedBy.map((_, at) => (at === field ? value : undefined))

/** Has an entry that was set aside wait on where its partition still holds it up: whether it does. */
const waitsOn = (run: CollectorRun, entry: OwnedEntry, { due, setAsideFor }: RetryWait, now: number): boolean => {
  const partition = setAsideFor === undefined ? undefined : partitionOfName(run.partitions.partedBy, setAsideFor)
  if (partition === undefined) return false
  const values = valuesOf(run, partition)
  const blockage = run.partitions.blockageOf(values, now)
  if (blockage !== undefined) waitInDlq(run, entry, values, blockage, { due, now, wasTried: false })
  return blockage !== undefined
}

/**
 * Holds a DLQ entry until it is due, or until its partition lets it go on. Where too many are held the last of those that wait
 * for a partition gives way, or else the one due last: it is forgotten here and stays pending, so that whoever fills the DLQ
 * with entries due late, or of one partition, holds up none that is due soon.
 */
export const holdRetry = (run: CollectorRun, entry: OwnedEntry, wait: RetryWait, now: number): void => {
  if (waitsOn(run, entry, wait, now)) return
  run.owned.hold(entry, wait.setAsideFor === undefined ? wait.due : now)
  if (freeOfDlq(run) >= 0) return
  const waiting = run.partitions.lastOfDlq()
  if (waiting !== undefined) {
    run.owned.remove(waiting.entry)
    leave(run, waiting.entry, waiting.members.partition, now)
    return
  }
  const last = run.owned.latestOfDlq()
  if (last === undefined || last.due === "first") return
  run.partitions.giveBack(last.entry)
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
 * What a DLQ entry waits for: its own time, set by whichever replica, is compared with the wall clock once, here; what is left
 * is waited for by the monotonic clock.
 */
export const retryWaitOf = (fields: FlatFields, clock: Clock.Clock): RetryWait => {
  const { dueTime, setAsideFor } = dlqWaitOf(fields, clock.currentTimeMillisUnsafe())
  return { due: monotonicOfWall(clock, dueTime), setAsideFor }
}

/**
 * What pending entries of a DLQ wait for, as each says itself, by id; they are given in that order. They are read page by
 * page, and where too many that are not asked for lie between them one by one. Of one that is gone nothing is known.
 */
const waitsOf = Effect.fnUntraced(function* (
  { streams }: CollectorRun,
  { key }: ConsumedStream,
  ids: ReadonlyArray<string>,
  size: ReadSize
): Effect.fn.Return<ReadonlyMap<string, RetryWait>, EventStreamsError> {
  const clock = yield* Clock.Clock
  const waits = new Map<string, RetryWait>()
  const wanted = new Set(ids)
  const note = (entries: ReadonlyArray<StreamEntry>): void => {
    for (const { fields, id } of entries) if (wanted.delete(id)) waits.set(id, retryWaitOf(fields, clock))
  }
  const last = ids.at(-1) ?? ""
  let from = ids[0] ?? ""
  let between = 0
  while (wanted.size > 0 && between <= ids.length) {
    const count = size.of(wanted.size)
    const before = wanted.size
    const entries = yield* streams.range(key, from, last, count)
    size.note(entries)
    note(entries)
    if (entries.length < count) return waits
    between += entries.length - (before - wanted.size)
    from = `(${entries.at(-1)?.id}`
  }
  const one = (id: string) => Effect.map(streams.range(key, id, id, 1), note)
  yield* Effect.forEach([...wanted], one, { concurrency: 16, discard: true })
  return waits
})

const noWaits: ReadonlyMap<string, RetryWait> = new Map()

/** What a look at pending entries found, and how many of them were taken on. */
interface Found {
  readonly pending: ReadonlyArray<PendingEntry>
  readonly held: number
}

/**
 * Asks Redis for pending entries and holds those that this process does not know, in the order of their ids. One that it forgot
 * meanwhile is left for another look: what Redis said of it may be older.
 */
export const holdPending = (
  run: CollectorRun,
  stream: ConsumedStream,
  ask: Effect.Effect<ReadonlyArray<PendingEntry>, EventStreamsError>,
  size = new ReadSize()
): Effect.Effect<Found, EventStreamsError> =>
  Effect.acquireUseRelease(
    Effect.sync(() => run.owned.beginLook(stream)),
    Effect.fnUntraced(function* ({ forgotten }): Effect.fn.Return<Found, EventStreamsError> {
      const pending = yield* ask
      const clock = yield* Clock.Clock
      const readAtNanos = yield* Clock.monotonicTimeNanos
      const unknown = pending.filter(({ id }) => !run.owned.has(stream, id) && !forgotten.has(id))
      const ids = unknown.map(({ id }) => id)
      const waits = isDlq(stream) ? yield* waitsOf(run, stream, ids, size) : noWaits
      const now = monotonicMillisOf(clock)
      for (const { deliveries, id } of unknown) {
        if (run.owned.has(stream, id) || forgotten.has(id)) continue
        const entry = recoveredEntry(stream, id, readAtNanos, deliveries)
        if (isDlq(stream)) holdRetry(run, entry, waits.get(id) ?? { due: now, setAsideFor: undefined }, now)
        else run.owned.hold(entry, now)
      }
      return { pending, held: unknown.filter(({ id }) => run.owned.has(stream, id)).length }
    }),
    (look) => Effect.sync(() => run.owned.endLook(look))
  )

/**
 * Where to read a DLQ again for what was left pending and may go on by now: when most of what is held of a partition has gone, so
 * that of many each is looked at once or twice in all.
 */
export const leftToReturn = (run: CollectorRun, stream: ConsumedStream, now: number): string | undefined => {
  const { left, options, owned, partitions } = run
  return left.begin(stream, now, (partition) => {
    const waiting = partitions.waitingOf(partition)
    const room = options.dlqHold - owned.heldOfDlq - waiting
    if (waiting > options.dlqHold / 4 || room < Math.max(1, options.dlqHold / 16)) return false
    const reason = partitions.blockageOf(valuesOf(run, partition), now)?.reason ?? "capped"
    return reason === "capped"
  })
}

/**
 * How many more entries may be taken on of those that are read again: none before a good part of a page finds room, or each one
 * that goes would have a whole page looked at, and all but one of it left again.
 */
const roomToReread = (run: CollectorRun, stream: ConsumedStream, now: number): number =>
  isDlq(stream) && freeOfDlq(run) < Math.min(page, run.options.dlqHold / 16) && !someGivesWay(run, now)
    ? 0
    : roomFor(run, stream, now)

/** Waits until a stream has room for one more entry: for how many it has. */
export const awaitRoom = (run: CollectorRun, stream: ConsumedStream, roomOf = roomFor): Effect.Effect<number> =>
  Effect.clockWith((clock) => {
    const waiter = new Waiter(run.owned.changed)
    const room = roomOf(run, stream, monotonicMillisOf(clock))
    if (room > 0) return Effect.succeed(room)
    return Effect.flatMap(waiting(waiter.wait()), () => awaitRoom(run, stream, roomOf))
  })

/** Waits until a stream has room for entries that are read again. */
export const awaitRoomToReread = (run: CollectorRun, stream: ConsumedStream): Effect.Effect<number> =>
  awaitRoom(run, stream, roomToReread)

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
  const size = new ReadSize()
  // From the first on everything is read, to the end: what was being looked for is among it.
  if (from === fromFirst) run.left.end(stream)
  for (let pages = 0; after !== undefined && pages < mostPages; pages++) {
    if (roomToReread(run, stream, yield* monotonicMillis) <= 0) break
    const ask = run.streams.pendingOf(stream.key, run.consumer, after, page)
    const { held, pending }: Found = yield* holdPending(run, stream, ask, size)
    found += held
    after = pending.at(-1)?.id
    if (after === undefined) run.left.end(stream)
    else if (run.left.isFull(stream, after, yield* monotonicMillis)) after = undefined
  }
  if (found > 0) {
    // With little room a long backlog comes in many pieces: only the first is worth a line.
    yield* (from === fromFirst ? Effect.logInfo("pending.reread") : Effect.logDebug("pending.reread")).pipe(
      Effect.annotateLogs({ stream: stream.key, entries: found })
    )
  }
  return after
})
