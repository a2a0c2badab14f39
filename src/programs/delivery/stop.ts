/** A clean stop: finish what is in flight, then give up the rest so that another replica can take it at once. */
import { Duration, Effect, FiberSet } from "effect"
import type { PendingEntry } from "../../services/EventStreams.ts"
import type { RedisError } from "../../services/Redis.ts"
import { leaseStream, leaseTtlMs } from "./lease.ts"
import type { Session } from "./state/collectorRun.ts"
import type { Lane } from "./state/consumedStream.ts"
import type { Task } from "./state/ownedEntry.ts"

const page = 256

/** How long Redis may take over the release, so that a Redis that is away does not hold up the end. */
const patience = "3 seconds"

/** A clean stop does not count: what this process was given, and did not end, was not handed out. */
const restored = (task: Task | undefined, deliveries: number): number => {
  const counted = task === undefined || !task.countHandOut
  return Math.max(0, deliveries - (counted ? 1 : 0))
}

/** Whether the name is this process's own still; another's entries under it are not ours to release. */
const holdsName = ({ consumer, lanes, lease, streams }: Session): Effect.Effect<boolean, RedisError> =>
  streams.renewLease(leaseStream(lanes), consumer, lease.token, leaseTtlMs)

const releaseLane = (session: Session, lane: Lane): Effect.Effect<number, RedisError> =>
  Effect.gen(function* () {
    const { consumer, ledger, options, streams } = session
    let after = "-"
    let released = 0
    for (;;) {
      const pending = yield* streams.pendingOf(lane.key, consumer, after, page)
      const last = pending.at(-1)
      if (last === undefined) return released
      const entries = pending.map(({ deliveries, id }): PendingEntry => {
        const task = ledger.get(lane, id)
        // Forgotten first, so that it is not kept alive after its release.
        if (task !== undefined) ledger.remove(task)
        return { id, deliveries: restored(task, deliveries) }
      })
      released += yield* streams.release(lane.key, consumer, Duration.toMillis(options.claimIdle), entries)
      after = last.id
    }
  })

const saysStopping = (inFlight: number, held: number): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logInfo("stopping"), { in_flight: inFlight, held })

const saysStopped = (released: number | "unknown"): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logInfo("stopped"), { released })

/** Says that a collector stopped while it had no session: Redis was not reached, or its name was not free yet. */
export const saysIdleStop: Effect.Effect<void> = Effect.andThen(saysStopping(0, 0), saysStopped(0))

/** Ends a session whose readers and dispatcher have stopped. */
export const stopSession = (session: Session, workers: FiberSet.FiberSet<void>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const working = yield* FiberSet.size(workers)
    yield* saysStopping(working, session.ledger.held)
    const finished = yield* Effect.timeoutOption(FiberSet.awaitEmpty(workers), session.options.shutdownTimeout)
    if (finished._tag === "None") {
      const left = yield* FiberSet.size(workers)
      yield* Effect.logWarning("stop.timed_out").pipe(Effect.annotateLogs({ in_flight: left }))
      yield* FiberSet.clear(workers)
    }
    const released = yield* holdsName(session).pipe(
      Effect.flatMap((ours) =>
        ours ? Effect.forEach(session.lanes, (lane) => releaseLane(session, lane)) : Effect.succeed([])
      ),
      Effect.timeoutOption(patience),
      Effect.catch(() => Effect.succeedNone)
    )
    yield* session.streams.releaseLease(leaseStream(session.lanes), session.consumer, session.lease.token).pipe(
      Effect.timeoutOption(patience),
      Effect.catch(() => Effect.succeedNone)
    )
    yield* saysStopped(released._tag === "Some" ? released.value.reduce((total, count) => total + count, 0) : "unknown")
  })
