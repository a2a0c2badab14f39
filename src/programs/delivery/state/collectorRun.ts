import type { Effect, Semaphore } from "effect"
import type { Outcome } from "../../../domain/delivery/outcome.ts"
import type { CollectorOptions } from "../../../domain/options/options.ts"
import type { Counts } from "../../../domain/replicas/minutes.ts"
import type { Consumer, EventStreams, StreamReader } from "../../../services/EventStreams.ts"
import type { JobsApi } from "../../../services/JobsApi.ts"
import type { Signer } from "../../../services/Signer.ts"
import type { ChangeSignal } from "../../redis/changeSignal.ts"
import type { RedisAvailability } from "../../redis/redisAvailability.ts"
import type { ApiRecord } from "./apiRecord.ts"
import type { ConsumedStream } from "./consumedStream.ts"
import type { DeliveryGate } from "./deliveryGate.ts"
import type { Happenings } from "./happenings.ts"
import type { KindLimit } from "./kindLimits.ts"
import type { LeftPending } from "./leftPending.ts"
import type { OwnedEntries } from "./ownedEntries.ts"
import type { OwnedEntry } from "./ownedEntry.ts"
import type { Partitions } from "./partitions.ts"
import type { Permits } from "./permits.ts"
import type { TrafficRules } from "./trafficRules.ts"
import type { UnmadeRequests } from "./unmadeRequests.ts"

/** A stream and its group as last looked at, for health and metrics. */
export interface StreamFigures {
  readonly length: number
  readonly pending: number
  readonly consumers: number
  /** Undefined where Redis cannot tell. */
  readonly lag: number | undefined
  /**
   * Since when an entry is read and not ended, in seconds; 0 where none is. Of entries that other consumers keep alive
   * Redis does not know it: those consumers tell of them.
   */
  readonly oldestPendingSeconds: number
}

/** What is known of a stream; its only state. */
export interface StreamState {
  /** The group exists and the own pending entries were read again, as far as there was room for them. */
  ready: boolean
  /** What reads it, while that is so. */
  reader: StreamReader | undefined
  /** The group was there when last looked at, and what this process owned in one that was lost is its own again. */
  groupAdopted: boolean
  /** A take-over was not answered: something may be this process's own that it does not know. */
  needsReread: boolean
  /** From where on the own pending entries are still to be read again; undefined where all were. */
  unread: string | undefined
  /** When it may be begun again to look for what was left pending, by the monotonic clock. */
  rereadFrom: number
  /** The earliest due time of what gave way to retries due sooner, by the monotonic clock: pending, and not held. */
  gaveWayDue: number | undefined
  /** The greatest id known to be delivered to the group: where a group that is gone is created again. */
  lastSeenId: string | undefined
  /** Why the stream or its group could not be read when last tried. */
  problem: string | undefined
  /** Since when Redis refuses to let it be read, in epoch milliseconds; undefined where it does not. */
  refusedSince: number | undefined
  /** Undefined until the first look, and while the stream or its group cannot be read. */
  figures: StreamFigures | undefined
  /** Unread entries that trimming had eaten when last looked at. */
  trimmedUnread: number
  /** What came of its events since the start, and how much of that was told in Redis. */
  readonly counts: Counts
  readonly told: Counts
}

/** The consumer name's lease, as far as this process knows. */
export interface LeaseState {
  readonly token: string
  readonly changed: ChangeSignal
  /** Until when the name is surely this process's own, by the monotonic clock. */
  validUntil: number
}

/** Who this process is. */
export interface RunIdentity {
  readonly consumer: Consumer
  readonly lease: LeaseState
}

/** What Redis is to it. */
export interface RunRedis {
  readonly streams: EventStreams["Service"]
  readonly availability: RedisAvailability
  readonly consumedStreams: ReadonlyArray<ConsumedStream>
  /** Notified when a stream is read again, or its group adopted. */
  readonly readiness: ChangeSignal
  readonly streamStates: ReadonlyMap<ConsumedStream, StreamState>
}

/** What deliveries take. */
export interface RunDeliveries {
  readonly permits: Permits
  readonly owned: OwnedEntries
  readonly gate: DeliveryGate
  readonly partitions: Partitions
  /** Of the kinds that have limits of their own. */
  readonly kindLimits: ReadonlyMap<string, KindLimit>
  readonly left: LeftPending
  readonly traffic: TrafficRules
  readonly unmade: UnmadeRequests
  readonly happenings: Happenings
  readonly api: JobsApi["Service"]
  readonly apiRecord: ApiRecord
  /**
   * Acknowledges a finished entry, together with others of its stream that finish at the same time; with an outcome, that
   * is kept as well.
   */
  readonly acknowledge: (entry: OwnedEntry, outcome: Outcome | undefined) => Effect.Effect<void>
  /** How long outcomes are kept; undefined: not at all. */
  readonly outcomesKeptMs: number | undefined
  /** Does the work on an entry in the background; its permits come back when that ends. */
  readonly start: (entry: OwnedEntry, permits: number, work: Effect.Effect<void>) => void
}

/** What the loops of one run share, from taking a consumer name to giving it up; who needs a part of it takes that part. */
export interface CollectorRun extends RunIdentity, RunRedis, RunDeliveries {
  readonly options: CollectorOptions
  readonly sha256: Signer["Service"]["sha256"]
  readonly hasher: Signer["Service"]["hasher"]
  /** Whose turn it is among entries that take long to read. */
  readonly turns: Semaphore.Semaphore
}

export const streamState = (run: Pick<RunRedis, "streamStates">, stream: ConsumedStream): StreamState => {
  const state = run.streamStates.get(stream)
  if (state === undefined) throw new Error(`No such stream: ${stream.key}`)
  return state
}
