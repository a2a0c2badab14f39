/** Opens a run: takes a consumer name and makes what the loops of one run share. */
import { Clock, Duration, Effect, FiberSet, type Scope, Semaphore } from "effect"
import type { CollectorOptions } from "../domain/options/options.ts"
import { noCounts } from "../domain/replicas/minutes.ts"
import { EventStreams } from "../services/EventStreams.ts"
import type { JobsApi } from "../services/JobsApi.ts"
import { Signer } from "../services/Signer.ts"
import { type RedisRefused, refused } from "./collectorError.ts"
import { makeAcknowledge } from "./delivery/acknowledge.ts"
import * as Lease from "./delivery/lease.ts"
import type { ApiRecord } from "./delivery/state/apiRecord.ts"
import type { CollectorRun, StreamState } from "./delivery/state/collectorRun.ts"
import type { ConsumedStream } from "./delivery/state/consumedStream.ts"
import type { DeliveryGate } from "./delivery/state/deliveryGate.ts"
import type { Happenings } from "./delivery/state/happenings.ts"
import { kindLimitsOf } from "./delivery/state/kindLimits.ts"
import { LeftPending } from "./delivery/state/leftPending.ts"
import { OwnedEntries } from "./delivery/state/ownedEntries.ts"
import { Partitions } from "./delivery/state/partitions.ts"
import { Permits } from "./delivery/state/permits.ts"
import type { TrafficRules } from "./delivery/state/trafficRules.ts"
import type { UnmadeRequests } from "./delivery/state/unmadeRequests.ts"
import type { ChangeSignal } from "./redis/changeSignal.ts"
import type { RedisAvailability } from "./redis/redisAvailability.ts"
import type { Supervisor } from "./supervision/supervise.ts"

export const freshStreamStates = (
  consumedStreams: ReadonlyArray<ConsumedStream>
): ReadonlyMap<ConsumedStream, StreamState> =>
  new Map(
    consumedStreams.map((stream) => [
      stream,
      {
        ready: false,
        reader: undefined,
        groupAdopted: false,
        needsReread: false,
        unread: undefined,
        rereadFrom: Number.NEGATIVE_INFINITY,
        gaveWayDue: undefined,
        lastSeenId: undefined,
        problem: undefined,
        refusedSince: undefined,
        figures: undefined,
        trimmedUnread: 0,
        counts: noCounts(),
        told: noCounts()
      }
    ])
  )

/** What outlives a run: the circuit's state and what was seen of the streams do not depend on a consumer name. */
export interface Lasting {
  readonly options: CollectorOptions
  /** This package's. */
  readonly version: string
  readonly consumedStreams: ReadonlyArray<ConsumedStream>
  readonly streamStates: ReadonlyMap<ConsumedStream, StreamState>
  readonly gate: DeliveryGate
  readonly traffic: TrafficRules
  readonly unmade: UnmadeRequests
  readonly happenings: Happenings
  readonly readiness: ChangeSignal
  readonly api: JobsApi["Service"]
  readonly apiRecord: ApiRecord
  readonly availability: RedisAvailability
  readonly supervisor: Supervisor
}

export const openRun = Effect.fnUntraced(function* (
  lasting: Lasting
): Effect.fn.Return<
  { readonly run: CollectorRun; readonly workers: FiberSet.FiberSet<void> },
  RedisRefused,
  EventStreams | Signer | Scope.Scope
> {
  const {
    api,
    apiRecord,
    gate,
    traffic,
    unmade,
    happenings,
    readiness,
    consumedStreams,
    streamStates,
    availability,
    options,
    supervisor
  } = lasting
  const streams = yield* EventStreams
  const { hasher, sha256 } = yield* Signer
  const wanted = { group: options.consumerGroup, name: options.consumerName }
  const { consumer, lease } = yield* Lease.acquire(
    streams,
    availability,
    Lease.leaseStream(consumedStreams),
    wanted
  ).pipe(Effect.mapError(refused))
  const workers = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(workers)()
  const { outcomeRetention } = options
  const outcomesKeptMs = outcomeRetention === "none" ? undefined : Math.ceil(Duration.toMillis(outcomeRetention))
  const permits = new Permits(options.deliveryConcurrency, gate.ramp)
  const owned = new OwnedEntries(consumedStreams)
  const partitions = new Partitions(options, { gate, owned, permits, traffic, clock: yield* Clock.Clock })
  const run: CollectorRun = {
    options,
    consumer,
    consumedStreams,
    streamStates,
    streams,
    api,
    sha256,
    hasher,
    permits,
    owned,
    gate,
    partitions,
    kindLimits: kindLimitsOf(options.kinds, options.deliveryConcurrency),
    left: new LeftPending(),
    traffic,
    unmade,
    happenings,
    readiness,
    apiRecord,
    availability,
    lease,
    turns: Semaphore.makeUnsafe(1),
    acknowledge: makeAcknowledge({ streams, consumer, availability, fork, outcomesKeptMs }),
    outcomesKeptMs,
    start: (entry, granted, work) => {
      fork(
        work.pipe(
          Effect.catchCause((cause) => {
            // Nobody keeps it alive any more, so that it comes back as idle and its hand-outs are counted.
            owned.remove(entry)
            return supervisor.defect("deliver", cause)
          }),
          Effect.onExit(() => {
            // Where it did not come so far as to take it; one that waits again may have got another.
            if (entry.state._tag === "Running" || entry.state._tag === "Settling") partitions.giveBack(entry)
            permits.release(granted, entry.requested ? 0 : 1)
            entry.requested = false
            return Effect.void
          })
        )
      )
    }
  }
  return { run, workers }
})
