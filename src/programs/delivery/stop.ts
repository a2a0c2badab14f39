/** A clean stop: finish what is in flight, then give up the rest so that another replica can take it at once. */
import { Cause, Duration, Effect, FiberSet } from "effect"
import type { PendingEntry } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { problemOf } from "../supervision/supervise.ts"
import { leaseStream, leaseTtlMs, stopPatience } from "./lease.ts"
import type { CollectorRun, RunIdentity, RunRedis } from "./state/collectorRun.ts"
import type { ConsumedStream } from "./state/consumedStream.ts"
import type { OwnedEntry } from "./state/ownedEntry.ts"

const page = 256

/** A clean stop does not count: what this process was given, and did not end, was not handed out. */
const restored = (entry: OwnedEntry | undefined, deliveries: number): number => {
  const counted = entry === undefined || !entry.countHandOut
  return Math.max(0, deliveries - (counted ? 1 : 0))
}

/** Whether the name is this process's own still; another's entries under it are not ours to release. */
const holdsName = ({
  consumer,
  consumedStreams,
  lease,
  streams
}: RunIdentity & RunRedis): Effect.Effect<boolean, EventStreamsError> =>
  streams.renewLease(leaseStream(consumedStreams), consumer, lease.token, leaseTtlMs)

const releaseLane = Effect.fnUntraced(function* (
  run: CollectorRun,
  stream: ConsumedStream
): Effect.fn.Return<number, EventStreamsError> {
  const { consumer, owned, options, streams } = run
  let after = "-"
  let released = 0
  for (;;) {
    const pending = yield* streams.pendingOf(stream.key, consumer, after, page)
    const last = pending.at(-1)
    if (last === undefined) return released
    const entries = pending.map(({ deliveries, id }): PendingEntry => {
      const entry = owned.get(stream, id)
      // Forgotten first, so that it is not kept alive after its release.
      if (entry !== undefined) owned.remove(entry)
      return { id, deliveries: restored(entry, deliveries) }
    })
    released += yield* streams.release(stream.key, consumer, Duration.toMillis(options.claimIdle), entries)
    after = last.id
  }
})

const saysStopping = (inFlight: number, held: number): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logInfo("stopping"), { in_flight: inFlight, held })

/** What was released, or why nothing is known of it: another replica then takes it over after `CLAIM_IDLE`. */
const saysStopped = (what: { readonly released: number } | { readonly not_released: string }): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logInfo("stopped"), what)

/** Says that a collector stopped while it had no run: Redis was not reached, or its name was not free yet. */
export const saysIdleStop: Effect.Effect<void> = Effect.andThen(saysStopping(0, 0), saysStopped({ released: 0 }))

/** Ends a run whose readers and dispatcher have stopped. */
export const stopRun = Effect.fnUntraced(function* (
  run: CollectorRun,
  workers: FiberSet.FiberSet<void>
): Effect.fn.Return<void> {
  const working = yield* FiberSet.size(workers)
  yield* saysStopping(working, run.owned.held)
  const finished = yield* Effect.timeoutOption(FiberSet.awaitEmpty(workers), run.options.shutdownTimeout)
  if (finished._tag === "None") {
    const left = yield* FiberSet.size(workers)
    yield* Effect.logWarning("stop.timed_out").pipe(Effect.annotateLogs({ in_flight: left }))
    yield* FiberSet.clear(workers)
  }
  const released = yield* holdsName(run).pipe(
    Effect.flatMap((ours) =>
      ours ? Effect.forEach(run.consumedStreams, (stream) => releaseLane(run, stream)) : Effect.succeed([])
    ),
    Effect.map((counts) => ({ released: counts.reduce((total, count) => total + count, 0) })),
    Effect.timeoutOrElse({
      duration: stopPatience,
      orElse: () => Effect.succeed({ not_released: `Redis did not answer within ${stopPatience}` })
    }),
    // Whatever it is, a defect too: the stop goes on, and says so.
    Effect.catchCause((cause) =>
      Effect.as(Cause.hasFails(cause) ? Effect.void : Effect.logError("stop.died", cause), {
        not_released: problemOf(cause)
      })
    )
  )
  yield* saysStopped(released)
})
