import type { FlatFields } from "../../../domain/events/entry.ts"
import type { ConsumedStream } from "./consumedStream.ts"

/** One entry that this process owns, from the moment it was read until it is settled. */
export interface OwnedEntry {
  readonly stream: ConsumedStream
  readonly id: string
  /** `held`: waits without a permit. `running`: being worked on. `settling`: its end is being written to Redis. */
  state: "held" | "running" | "settling"
  /** The entry's fields while they are needed; a held entry's are fetched again. */
  fields: FlatFields | undefined
  /** How often it was handed out, as far as known. */
  deliveries: number
  /** Whether taking it up counts as one hand-out more. */
  countHandOut: boolean
  /** When it may be worked on, in epoch milliseconds. */
  dueAt: number
  /** Another consumer took it over: it is dropped without a move. */
  lost: boolean
  /** Redis lost the entry while it was worked on: unless that ends in success, the event is lost. */
  gone: boolean
}

/** From its third hand-out on an entry is processed alone, so that one that kills the process takes no neighbours along. */
const suspectFrom = 3

export const isSuspect = (entry: OwnedEntry): boolean => entry.deliveries + (entry.countHandOut ? 1 : 0) >= suspectFrom

/** Due before all else: an entry read while the circuit is open, the best probe there is. */
export const untried = 0

/** An entry just read with XREADGROUP `>`: Redis has counted the hand-out. */
export const freshEntry = (
  stream: ConsumedStream,
  id: string,
  fields: FlatFields | undefined,
  dueAt: number
): OwnedEntry => ({
  stream,
  id,
  state: "held",
  fields,
  deliveries: 1,
  countHandOut: false,
  dueAt,
  lost: false,
  gone: false
})

/** An entry found pending, own or taken over: it counts as handed out again only when work on it begins. */
export const recoveredEntry = (stream: ConsumedStream, id: string, deliveries: number, dueAt: number): OwnedEntry => ({
  stream,
  id,
  state: "held",
  fields: undefined,
  deliveries,
  countHandOut: true,
  dueAt,
  lost: false,
  gone: false
})
