/** What is kept of one event. */
import type { Produced } from "./scenario.ts"

/** An event's way from its entry in a source stream to an end; one that is replayed begins another, counted anew. */
export interface Round {
  readonly record: EventRecord
  /** The entry that it began with. */
  readonly stream: string
  readonly entryId: string
  /** Every place that it ever stood in. */
  readonly places: Array<string>
  /** Those in which it was acknowledged. */
  readonly left: Set<string>
  /** Failed attempts that a collector has seen. */
  failures: number
  /** Statuses seen. */
  readonly statuses: Set<number>
  /** By the attempts made so far: the earliest time its next was ever set for. */
  readonly notBefore: Map<number, number>
  /** The body of its first request. */
  body: string | undefined
}

/** An entry of the abandoned stream. */
export interface Abandonment {
  readonly at: string
  readonly reason: string
  readonly attempts: number
}

export interface EventRecord {
  readonly produced: Produced
  /** Its ways through the streams, the first to the last. */
  readonly rounds: Array<Round>
  /** `<stream> <id>` of every place where it stands and is not acknowledged. */
  readonly copies: Set<string>
  /** The abandoned entry, while it stands there. */
  abandoned: Abandonment | undefined
  /** Answers of success that a collector has received. */
  successes: number
  /** Requests sent for it. */
  requests: number
  /** What of Redis's own doing it was lost to. */
  lost: string | undefined
}
