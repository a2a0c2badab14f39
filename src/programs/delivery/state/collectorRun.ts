import type { Effect } from "effect"
import type { CollectorOptions } from "../../../domain/options/options.ts"
import type { Consumer, EventStreams } from "../../../services/EventStreams.ts"
import type { JobsApi } from "../../../services/JobsApi.ts"
import type { Signer } from "../../../services/Signer.ts"
import type { ApiRecord } from "../../health/apiRecord.ts"
import type { Signal } from "../../redis/changeSignal.ts"
import type { LogLimit } from "../../redis/logThrottle.ts"
import type { Link } from "../../redis/redisAvailability.ts"
import type { Lane } from "./consumedStream.ts"
import type { Gate } from "./deliveryGate.ts"
import type { Ledger } from "./inFlight.ts"
import type { Task } from "./ownedEntry.ts"
import type { Permits } from "./permits.ts"

/** A stream and its group as last looked at, for health and metrics. */
export interface LaneFigures {
  readonly length: number
  readonly pending: number
  readonly consumers: number
  /** Undefined where Redis cannot tell. */
  readonly lag: number | undefined
  /** Age of the oldest pending entry by its id, in seconds; 0 where none is pending. */
  readonly oldestPendingSeconds: number
}

/** What is known of a lane; its only state. */
export interface LaneState {
  /** The group exists and the own pending entries were read again, as far as there was room for them. */
  ready: boolean
  /** The group was there when last looked at, and what this process owned in one that was lost is its own again. */
  grouped: boolean
  /** A take-over was not answered: something may be this process's own that it does not know. */
  unsure: boolean
  /** The greatest id known to be delivered to the group: where a group that is gone is created again. */
  lastSeenId: string | undefined
  /** Why the stream or its group could not be read when last tried. */
  problem: string | undefined
  /** Undefined until the first look, and while the stream or its group cannot be read. */
  figures: LaneFigures | undefined
  /** Unread entries that trimming had eaten when last looked at. */
  eaten: number
}

/** The consumer name's lease, as far as this process knows. */
export interface LeaseState {
  readonly token: string
  readonly changed: Signal
  /** Until when the name is surely this process's own, in epoch milliseconds. */
  validUntil: number
}

/** What the loops of one run share: from taking a consumer name to giving it up. */
export interface Session {
  readonly options: CollectorOptions
  readonly consumer: Consumer
  readonly lanes: ReadonlyArray<Lane>
  readonly laneStates: ReadonlyMap<Lane, LaneState>
  readonly streams: EventStreams["Service"]
  readonly api: JobsApi["Service"]
  readonly sha256: Signer["Service"]["sha256"]
  readonly permits: Permits
  readonly ledger: Ledger
  readonly gate: Gate
  readonly apiRecord: ApiRecord
  readonly link: Link
  readonly logLimit: LogLimit
  readonly lease: LeaseState
  /** Requests to the API under way. */
  readonly requests: { inFlight: number }
  /** Acknowledges a finished entry, together with others of its stream that finish at the same time. */
  readonly acknowledge: (task: Task) => Effect.Effect<void>
  /** Works on a task in the background; its permits come back when it ends. */
  readonly start: (task: Task, permits: number) => void
  /** Notes that a loop is alive. */
  readonly beat: (loop: string) => Effect.Effect<void>
  /** Notes that a loop waits for something that may take any time. */
  readonly rest: (loop: string) => Effect.Effect<void>
}

export const laneState = (session: Session, lane: Lane): LaneState => {
  const state = session.laneStates.get(lane)
  if (state === undefined) throw new Error(`No such lane: ${lane.key}`)
  return state
}
