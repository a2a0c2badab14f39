/** Why Redis did not do what it was asked: classified once, in the layer; handlers go by the reason. */
import { Schema } from "effect"

/** What was said, in one line that may be logged or shown: no credentials, no command's arguments. */
const said = { message: Schema.String }

/** The consumer group or its stream is gone (NOGROUP): its reader creates it again. */
export class NoGroup extends Schema.TaggedError<NoGroup>()("NoGroup", said) {}

/** The consumer group exists already (BUSYGROUP). */
export class BusyGroup extends Schema.TaggedError<BusyGroup>()("BusyGroup", said) {}

/** The keys of one command lie in different hash slots of a Cluster (CROSSSLOT). */
export class CrossSlot extends Schema.TaggedError<CrossSlot>()("CrossSlot", said) {}

/**
 * The password, the user or a permission is wrong (WRONGPASS, NOAUTH, NOPERM), or there is no such database. The command
 * and the key that were refused, where Redis names them.
 */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  ...said,
  command: Schema.optionalKey(Schema.String),
  key: Schema.optionalKey(Schema.String)
}) {}

/** The key holds something else (WRONGTYPE). */
export class WrongType extends Schema.TaggedError<WrongType>()("WrongType", said) {}

/** `maxmemory` is reached and nothing may be evicted (OOM). */
export class OutOfMemory extends Schema.TaggedError<OutOfMemory>()("OutOfMemory", said) {}

/** A replica, or a master that was demoted (READONLY). */
export class ReadOnly extends Schema.TaggedError<ReadOnly>()("ReadOnly", said) {}

/** The server reads its data from disk (LOADING). */
export class Loading extends Schema.TaggedError<Loading>()("Loading", said) {}

/**
 * No connection, no answer in time, or a server that cannot serve at present (CLUSTERDOWN, MASTERDOWN, TRYAGAIN,
 * NOREPLICAS, MISCONF, BUSY, UNBLOCKED, an unfollowed MOVED or ASK).
 */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", said) {}

/** Anything else that Redis or the driver answered. */
export class Other extends Schema.TaggedError<Other>()("Other", said) {}

const Reason = Schema.Union([
  NoGroup,
  BusyGroup,
  CrossSlot,
  Refused,
  WrongType,
  OutOfMemory,
  ReadOnly,
  Loading,
  Unavailable,
  Other
])

export type Reason = typeof Reason.Type

/**
 * What is to be done about each: an outage ends by itself; a refusal lasts until somebody changes something, and need not
 * concern any other command; what is absent or in the way is for the caller to deal with.
 */
const natures: Readonly<Record<Reason["_tag"], "outage" | "refusal" | "mendable">> = {
  NoGroup: "mendable",
  BusyGroup: "mendable",
  CrossSlot: "mendable",
  Refused: "refusal",
  WrongType: "refusal",
  OutOfMemory: "refusal",
  ReadOnly: "outage",
  Loading: "outage",
  Unavailable: "outage",
  Other: "refusal"
}

export class EventStreamsError extends Schema.TaggedError<EventStreamsError>()("EventStreamsError", {
  reason: Reason
}) {
  override get message(): string {
    return this.reason.message
  }

  /** Whether Redis is away: every command fails until it is back. */
  get isOutage(): boolean {
    return natures[this.reason._tag] === "outage"
  }

  /** Whether Redis is there and refuses what was asked: other commands may well succeed. */
  get isRefusal(): boolean {
    return natures[this.reason._tag] === "refusal"
  }
}
