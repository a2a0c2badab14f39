/** Reads one stream: as many new entries as can be worked on, never more (contract section 6, "Bounded"). */
import { Clock, Duration, Effect, Metric, Schedule } from "effect"
import type { StreamEntry, StreamReader } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import * as Metrics from "../../services/Metrics.ts"
import { Waiter } from "../redis/changeSignal.ts"
import { monotonicMillis, monotonicMillisOf } from "../redis/monotonic.ts"
import { ReadSize } from "../redis/readSize.ts"
import { noteFailure } from "../redis/retryRedis.ts"
import { restarts } from "../redis/schedules.ts"
import { nextBeat, repeatSteps, step, waiting } from "../supervision/loop.ts"
import { deliver } from "./deliver.ts"
import { ensureGroup, noteSeen } from "./groups.ts"
import {
  awaitRoom,
  awaitRoomToReread,
  fromFirst,
  holdRetry,
  leftToReturn,
  mayReturn,
  rereadOwn,
  retryWaitOf
} from "./pendingRecovery.ts"
import { type CollectorRun, streamState } from "./state/collectorRun.ts"
import { type ConsumedStream, isDlq } from "./state/consumedStream.ts"
import { freshEntry } from "./state/ownedEntry.ts"
import type { Permits } from "./state/permits.ts"
import { receiving } from "./tracing.ts"

/** How long a read waits for the first entry at most, in milliseconds. */
const blockMs = 5_000
/** For how long an idle reader waits: it comes back when the other loops wake anyway. */
const patience = Effect.flatMap(nextBeat(blockMs), (beat) =>
  Effect.map(monotonicMillis, (now) => Math.min(blockMs, beat - now))
)
/** The same where something is left pending that may go on at any time. */
const shortBlockMs = 500
/** What was left is looked for again after so long at the earliest: where none of it may go on yet, it would be left at once, again and again. */
const rereadEveryMs = 100
/**
 * How often an idle reader looks where it cannot wait, in milliseconds: for want of a connection of its own, or since
 * waiting readers would hold a good part of the permits.
 */
const pollMs = 100
/** With fewer permits of a kind than so many its reader does not wait with one of them in hand. */
const fewOfKind = 4

/** Most entries of the DLQ that one read brings, so that an answer stays small. */
const dlqBatch = 100

export const loopName = (stream: ConsumedStream): string => `consume:${stream.key}`

const received = (
  run: CollectorRun,
  stream: ConsumedStream,
  entries: ReadonlyArray<StreamEntry>
): Effect.Effect<void> => {
  const last = entries.at(-1)
  if (last !== undefined) noteSeen(run, stream, last.id)
  streamState(run, stream).counts.received += entries.length
  return Metric.update(Metrics.eventsReceived(stream.label), entries.length)
}

/** How a reader reads: as many as there is room for, waiting for the first, or a single one for a probe. */
type Manner = "all" | "wait" | "one"

/**
 * A read in each manner: whether there may be more to be read at once. They are made once and run again and again, since
 * each new generator function has V8 make a hidden class of its own.
 */
type Reads = Readonly<Record<Manner, Effect.Effect<boolean, EventStreamsError>>>

/** Reads new source entries and starts the work on them; each has its permit before it is read. */
const readSource = (run: CollectorRun, stream: ConsumedStream, reader: StreamReader): Reads => {
  const { gate, owned, permits } = run
  const limit = stream.kind === undefined ? undefined : run.kindLimits.get(stream.kind.name)
  const ofKind = limit?.permits
  const size = new ReadSize()
  const sources = run.consumedStreams.filter((candidate) => !isDlq(candidate)).length
  const isScarce = (): boolean =>
    permits.mostAtOnce < 2 * sources ||
    (limit !== undefined && (limit.permits.mostAtOnce < fewOfKind || limit.waiting.size > 0))

  const startOrHold = ({ fields, id }: StreamEntry, flows: boolean, now: number, readAtNanos: bigint): boolean => {
    // Handed out again because its group was created anew: it is being worked on.
    if (owned.has(stream, id)) return false
    const entry = freshEntry(stream, id, readAtNanos)
    if (flows) {
      entry.kindPermits = ofKind
      owned.run(entry)
      run.start(entry, 1, deliver(run, entry, fields))
      return true
    }
    // The circuit is open, a pause began or the ramp fell back while the read was under way: it waits without its permit.
    owned.hold(entry, gate.circuitOpen ? "first" : now)
    return false
  }

  const giveBack = (count: number): void => {
    permits.release(count, count)
    ofKind?.release(count, count)
  }
  const takeFrom = (from: Permits, most: number) => waiting(Effect.interruptible(from.take(most)))

  const readOnce = (wanted: number, block: boolean): Effect.Effect<boolean, EventStreamsError> => {
    return Effect.uninterruptible(
      Effect.gen(function* () {
        const most = size.of(wanted)
        // Of its kind first: who waits for those keeps no other kind waiting.
        const room = ofKind === undefined ? most : ofKind.tryTake(most) || (yield* takeFrom(ofKind, most))
        const granted =
          permits.tryTake(room) ||
          (yield* Effect.onInterrupt(takeFrom(permits, room), () => Effect.sync(() => ofKind?.release(room, room))))
        ofKind?.release(room - granted, room - granted)
        const reading = reader.readNew(stream.key, run.consumer, granted, block ? yield* patience : 0)
        const read = receiving(run, stream, reading)
        // A read that does not wait is seen to its end, so that a stop leaves nothing handed out unread.
        const entries = yield* Effect.onError(block ? Effect.interruptible(read) : read, () =>
          Effect.sync(() => giveBack(granted))
        )
        if (entries.length === 0) {
          giveBack(granted)
          return false
        }
        const now = yield* monotonicMillis
        const readAtNanos = yield* Clock.monotonicTimeNanos
        const flows = gate.flows(now) && permits.inUse <= permits.most
        size.note(entries)
        let started = 0
        for (const entry of entries) if (startOrHold(entry, flows, now, readAtNanos)) started += 1
        giveBack(granted - started)
        yield* received(run, stream, entries)
        return entries.length >= granted
      })
    )
  }

  // With few permits an idle reader must not wait with one of them in hand: it looks in now and then.
  const patiently = (most: number): Effect.Effect<boolean, EventStreamsError> => {
    const look = Effect.andThen(Effect.sleep(pollMs), readOnce(most, false))
    const wait = readOnce(most, true)
    return Effect.suspend(() => (isScarce() || !reader.canWait() ? look : wait))
  }
  const withOne = patiently(1)
  // One that waits with two permits and gets one entry knows that there was no more, and need not look again.
  const withTwo = patiently(2)

  return {
    all: readOnce(Number.MAX_SAFE_INTEGER, false),
    wait: Effect.suspend(() => (permits.mostAtOnce < 8 * sources || ofKind !== undefined ? withOne : withTwo)),
    one: withOne
  }
}

/** Reads new DLQ entries and holds them until they are due; holding takes no permit. */
const readDlq = (run: CollectorRun, stream: ConsumedStream, reader: StreamReader): Reads => {
  const size = new ReadSize()
  const hold = ({ fields, id }: StreamEntry, clock: Clock.Clock, readAtNanos: bigint): void => {
    if (run.owned.has(stream, id)) return
    holdRetry(run, freshEntry(stream, id, readAtNanos), retryWaitOf(fields, clock), monotonicMillisOf(clock))
  }

  const readIn = Effect.fnUntraced(function* (manner: Manner): Effect.fn.Return<boolean, EventStreamsError> {
    const room = yield* awaitRoom(run, stream)
    const count = manner === "one" ? 1 : size.of(Math.min(room, dlqBatch))
    if (manner !== "all" && !reader.canWait()) yield* Effect.sleep(pollMs)
    const { gaveWayDue, rereadFrom } = streamState(run, stream)
    const now = yield* monotonicMillis
    const leftBlock = now < rereadFrom ? rereadFrom - now : run.left.anyOf(stream) ? shortBlockMs : yield* patience
    const anyLeft = run.left.anyOf(stream) || gaveWayDue !== undefined
    const block = manner === "all" ? 0 : anyLeft ? leftBlock : yield* patience
    const read = reader.readNew(stream.key, run.consumer, count, block)
    const entries = yield* receiving(run, stream, read)
    if (entries.length === 0) return false
    const clock = yield* Clock.Clock
    const readAtNanos = yield* Clock.monotonicTimeNanos
    size.note(entries)
    for (const entry of entries) hold(entry, clock, readAtNanos)
    yield* received(run, stream, entries)
    return entries.length >= count
  })

  return { all: readIn("all"), wait: readIn("wait"), one: readIn("one") }
}

const nothing = Effect.undefined
/** How often a reader looks whether there is room for an entry of a paused kind, at most, in milliseconds. */
const pollKindMs = 1_000

/**
 * How a paused kind's stream is read: one entry each time that the kind is tried again, and none where enough wait already.
 * Undefined of any other.
 */
const kindAllows = (run: CollectorRun, stream: ConsumedStream): Effect.Effect<"one" | "none" | undefined> => {
  const { gate, owned, permits, unmade } = run
  const name = stream.kind?.name
  const ends = name === undefined ? undefined : unmade.pauseEnds(name)
  if (name === undefined || ends === undefined) return nothing
  const waiter = new Waiter(gate.changed)
  const wait = Effect.flatMap(monotonicMillis, (now) => waiting(waiter.wait(Math.max(ends, now + pollKindMs))))
  return Effect.map(Effect.andThen(wait, monotonicMillis), (now) => {
    if (unmade.pauseEnds(name) === undefined) return undefined
    return now >= ends && owned.entries(stream).length < permits.total && gate.flows(now) ? "one" : "none"
  })
}

/** Reads as long as Redis answers. An idle reader waits with a permit or two; a busy one takes all that are free. */
const read = Effect.fnUntraced(function* (run: CollectorRun, stream: ConsumedStream) {
  const reader = yield* run.streams.reader
  yield* ensureGroup(run, stream)
  const state = streamState(run, stream)
  state.unread = yield* rereadOwn(run, stream, fromFirst)
  state.reader = reader
  const noteReading = () => {
    state.ready = true
    state.problem = undefined
    state.refusedSince = undefined
    run.readiness.notify()
  }
  // Who was refused may look at the group and yet not read it: only a read shows that all is well again.
  if (state.refusedSince === undefined) noteReading()
  yield* run.availability.succeeded
  const reads = isDlq(stream) ? readDlq(run, stream, reader) : readSource(run, stream, reader)
  let more = true
  const readable = waiting(run.gate.readable)
  const readMore = Effect.gen(function* () {
    const now = yield* monotonicMillis
    const mayLook = now >= state.rereadFrom
    // Not elsewhere: what this reader is being given just now would seem to be unknown.
    if (state.needsReread || (mayLook && mayReturn(run, stream, now + blockMs))) {
      state.unread = fromFirst
      state.needsReread = false
      state.gaveWayDue = undefined
    }
    state.unread ??= isDlq(stream) && mayLook ? leftToReturn(run, stream, now) : undefined
    if (state.unread !== undefined) {
      state.rereadFrom = now + rereadEveryMs
      yield* awaitRoomToReread(run, stream)
      state.unread = yield* rereadOwn(run, stream, state.unread)
      // A long one holds up none of those that come anew.
      if (state.unread === undefined || !isDlq(stream)) return
      more = true
    }
    const allowed = (yield* kindAllows(run, stream)) ?? (yield* readable)
    if (allowed === "none") return
    more = yield* reads[allowed === "one" ? "one" : more ? "all" : "wait"]
    if (state.refusedSince !== undefined) noteReading()
  })
  return yield* repeatSteps(readMore)
}, Effect.scoped)

/** A group that is gone is created again at once; after that, and for anything else, the wait grows. */
const readAgain = Schedule.modifyDelay(
  Schedule.setInputType<EventStreamsError>()(restarts),
  ({ duration, input, output }) =>
    Effect.succeed(output === 0 && input.reason._tag === "NoGroup" ? Duration.zero : duration)
)

/** How long a reader is refused before that is taken to be meant: a password or a permission may be on its way, in milliseconds. */
const patienceMs = 60_000

/**
 * The reader of one stream: waits out a Redis that is away, and heals a group that is gone. Fails when Redis has refused
 * it for a minute.
 */
export const consume = (run: CollectorRun, stream: ConsumedStream): Effect.Effect<never, EventStreamsError> => {
  const state = streamState(run, stream)
  let isMeant = false
  const noteEnd = Effect.fnUntraced(function* (error: EventStreamsError) {
    const now = yield* monotonicMillis
    state.ready = false
    state.reader = undefined
    state.problem = error.message
    if (error.reason._tag === "NoGroup") state.groupAdopted = false
    state.refusedSince = error.reason._tag === "Refused" ? (state.refusedSince ?? now) : undefined
    isMeant = state.refusedSince !== undefined && now - state.refusedSince >= patienceMs
    yield* noteFailure(run.availability, loopName(stream), error)
  })
  return step(read(run, stream)).pipe(
    Effect.tapError(noteEnd),
    Effect.retry({ schedule: readAgain, while: () => !isMeant })
  )
}
