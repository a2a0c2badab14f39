import type { Decision } from "../../../domain/delivery/decide.ts"
import type { FailedAttempt } from "../../../domain/delivery/history.ts"
import type { PartitionKey, PartitionValues } from "../../../domain/traffic/isolation.ts"
import type { ConsumedStream } from "./consumedStream.ts"
import type { Permits } from "./permits.ts"

/** When a held entry may be worked on: from a time of the monotonic clock on, in milliseconds, or before all else, as a probe. */
export type Due = number | "first"

/** Waits without a permit; its fields are fetched when it is due. */
export interface Held {
  readonly _tag: "Held"
  readonly entry: OwnedEntry
  readonly due: Due
}

/** Waits without a permit until a partition lets it go on (contract section 6, "One cannot stop all"). */
export interface Waiting {
  readonly _tag: "Waiting"
  readonly entry: OwnedEntry
  /** Its place among those that wait for the same. */
  readonly due: number
  /** Its event's partitions, as far as they are known. */
  readonly values: PartitionValues
  readonly members: Members
  /** Whether it was attempted while this held it up: as a probe, or when it began. */
  readonly wasTried: boolean
}

/** What belongs to one partition at present: known for as long as there is anything. */
export interface Members {
  readonly partition: PartitionKey
  /** Requests under way, and places kept for some. */
  running: number
  /** What waits for this partition: what is due first comes first. */
  readonly waiting: Array<Waiting>
  /** Since when something waits; undefined where nothing does. */
  waitingSince: number | undefined
}

/** The partitions of a request under way; undefined where its event lacks the field. */
export type Load = ReadonlyArray<Members | undefined>

/** A place kept for an entry whose turn has come, until work on it begins. */
export interface Place {
  readonly load: Load
  /** Whether it goes as a probe of a partition whose circuit is open. */
  readonly isProbe: boolean
}

/** `Running`: being worked on. `Settling`: its end is being written to Redis. */
export type EntryState = Held | Waiting | { readonly _tag: "Running" } | { readonly _tag: "Settling" }

export const running: EntryState = { _tag: "Running" }
export const settling: EntryState = { _tag: "Settling" }

/** One entry that this process owns, from the moment it was read until it is settled. */
export interface OwnedEntry {
  readonly stream: ConsumedStream
  readonly id: string
  /** When this process read it, by the monotonic clock. */
  readonly readAtNanos: bigint
  state: EntryState
  /** How often it was handed out, as far as known. */
  deliveries: number
  /** Whether taking it up counts as one hand-out more. */
  countHandOut: boolean
  /**
   * `deleted`: Redis lost it while it was worked on, and unless that ends in success the event is lost. `dropped`: another
   * consumer took it over, or its loss was counted.
   */
  ownership: "owned" | "deleted" | "dropped"
  /** Whether the work on it made a request: a token that was not spent goes to another. */
  requested: boolean
  /** How often Redis refused a step of the work on it. */
  refusals: number
  /** Its turn has come: a place kept for it among the requests of its partitions. */
  place: Place | undefined
  /** Of which it has a permit, where its kind has limits of its own. */
  kindPermits: Permits | undefined
  /** What its failed attempt came to, while Redis refuses to write that: it is not attempted again for it. */
  decided: Decided | undefined
}

/** What an attempt came to that did not succeed. */
export interface Decided {
  readonly decision: Extract<Decision, { readonly _tag: "Retry" | "Abandon" }>
  readonly eventId: string
  /** Epoch milliseconds. */
  readonly failedAt: number
  readonly attempt: FailedAttempt
}

/** From its third hand-out on an entry is processed alone, so that one that kills the process takes no neighbours along. */
const suspectFrom = 3

export const isSuspect = (entry: OwnedEntry): boolean => entry.deliveries + (entry.countHandOut ? 1 : 0) >= suspectFrom

/** An entry just read with XREADGROUP `>`: Redis has counted the hand-out. */
export const freshEntry = (stream: ConsumedStream, id: string, readAtNanos: bigint): OwnedEntry => ({
  stream,
  id,
  readAtNanos,
  state: running,
  deliveries: 1,
  countHandOut: false,
  ownership: "owned",
  requested: false,
  refusals: 0,
  place: undefined,
  kindPermits: undefined,
  decided: undefined
})

/** An entry found pending, own or taken over: it counts as handed out again only when work on it begins. */
export const recoveredEntry = (
  stream: ConsumedStream,
  id: string,
  readAtNanos: bigint,
  deliveries: number
): OwnedEntry => ({
  stream,
  id,
  readAtNanos,
  state: running,
  deliveries,
  countHandOut: true,
  ownership: "owned",
  requested: false,
  refusals: 0,
  place: undefined,
  kindPermits: undefined,
  decided: undefined
})
