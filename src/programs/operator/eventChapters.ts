/** What is found of an event, and where (contract section 1, `why`). */
import type { Abandoned, Retry } from "../../domain/delivery/dlq.ts"
import type { History } from "../../domain/delivery/history.ts"
import type { Outcome } from "../../domain/delivery/outcome.ts"
import type { Holding } from "../../services/EventStreams.ts"

/**
 * What Redis says of an entry in a source stream:
 * - `waiting`: the group has not read it yet
 * - `unread`: there is no such group
 * - `pending`: read and not acknowledged: being worked on, or its owner is gone
 * - `acknowledged`: read and acknowledged; how it ended Redis does not say
 * - `skipped`: it lies before the group's start: the group never read it
 * - `passed`: acknowledged or skipped, as nobody kept where the group started
 */
export type SourceState = "waiting" | "unread" | "pending" | "acknowledged" | "skipped" | "passed"

/** What was found of an event in one place. */
export type Chapter =
  | Kept
  | {
      readonly place: "source"
      readonly stream: string
      readonly id: string
      readonly state: SourceState
      readonly holding: Holding | undefined
      readonly replayed: boolean
      /** The attempts made before it was replayed, the oldest first. */
      readonly earlier: History
    }
  | {
      readonly place: "dlq"
      readonly stream: string
      readonly id: string
      readonly retry: Retry
      readonly holding: Holding | undefined
    }
  | {
      readonly place: "abandoned"
      readonly stream: string
      readonly id: string
      readonly abandoned: Abandoned
      readonly history: History
      readonly replayed: History
    }

/** What was kept of an event's end. */
interface Kept {
  readonly place: "outcome"
  /** Where it was acknowledged. */
  readonly stream: string
  readonly outcome: Outcome
}
