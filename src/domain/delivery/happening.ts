/** What happens in a running collector, as whoever follows it is told (contract section 9). Times are epoch milliseconds. */
import type { Rule } from "../traffic/rules.ts"
import type { AbandonReason, SetAside } from "./dlq.ts"

/** Which event it is about. */
export interface HappenedToEvent {
  readonly at: number
  /** The name of its kind; undefined where that cannot be read from its entry in the DLQ. */
  readonly kind: string | undefined
  /** Where it was first written. */
  readonly stream: string
  readonly entryId: string
  /** As it is sent to the API; undefined where the event names none. */
  readonly eventId: string | undefined
  /** The attempts made so far. */
  readonly attempts: number
}

/** The API has it, and its entry is acknowledged. */
export interface Delivered extends HappenedToEvent {
  readonly _tag: "Delivered"
  readonly jobId: string | undefined
  readonly creditsDeducted: number | undefined
}

/** An attempt failed; the event waits in the DLQ for the next. */
export interface Retried extends HappenedToEvent {
  readonly _tag: "Retried"
  readonly retryAt: number
  readonly errorCode: string
  readonly errorMessage: string
}

/** It was given up: it lies in the abandoned stream until somebody replays it. */
export interface Abandoned extends HappenedToEvent {
  readonly _tag: "Abandoned"
  readonly reason: AbandonReason
  readonly errorCode: string
  readonly errorMessage: string
}

/** It was moved to the DLQ without an attempt, because its partition may not run and too many wait already. */
export interface PutAside extends HappenedToEvent {
  readonly _tag: "SetAside"
  readonly reason: SetAside
  /** `field=value`. */
  readonly partition: string
  readonly retryAt: number
}

/** The API's circuit, or a partition's, stops deliveries. */
export interface CircuitOpened {
  readonly _tag: "CircuitOpened"
  readonly at: number
  /** `field=value`; undefined for the API's. */
  readonly partition: string | undefined
  /** Of the failure that opened it. */
  readonly errorCode: string | undefined
  readonly errorMessage: string | undefined
}

/** Deliveries go on. */
export interface CircuitClosed {
  readonly _tag: "CircuitClosed"
  readonly at: number
  readonly partition: string | undefined
}

/** A kind makes no requests, so that its events wait. */
export interface KindPaused {
  readonly _tag: "KindPaused"
  readonly at: number
  readonly kind: string
  readonly problem: string
}

/** A paused kind makes requests again. */
export interface KindResumed {
  readonly _tag: "KindResumed"
  readonly at: number
  readonly kind: string
}

/** This replica obeys a traffic rule from now on, whoever set it. */
export interface RuleSet {
  readonly _tag: "RuleSet"
  readonly at: number
  readonly rule: Rule
}

/** A traffic rule holds no longer: somebody lifted it, or its time was over. */
export interface RuleEnded {
  readonly _tag: "RuleEnded"
  readonly at: number
  readonly rule: Rule
  readonly ended: "lifted" | "expired"
}

/** Configuration sync installed one, or put files back that had been edited. */
export interface ConfigInstalled {
  readonly _tag: "ConfigInstalled"
  readonly at: number
  readonly version: number
  /** The version before; undefined where there was none. */
  readonly before: number | undefined
  readonly generation: number
}

/** Configuration sync refused what the API offers; again at every tick while it does. */
export interface ConfigRefused {
  readonly _tag: "ConfigRefused"
  readonly at: number
  /** Undefined where it cannot be read. */
  readonly version: number | undefined
  readonly rule: string
  readonly problem: string
}

/** The gateway could not be told of a configuration, or did not follow it; it is told again at every tick. */
export interface ReloadFailed {
  readonly _tag: "ReloadFailed"
  readonly at: number
  readonly generation: number
  readonly problem: string
}

/** The status of `/health` is another one. */
export interface HealthChanged {
  readonly _tag: "HealthChanged"
  readonly at: number
  readonly status: "ok" | "degraded" | "down"
  readonly was: "ok" | "degraded" | "down" | "starting"
  /** The checks that are not well: `redis=down api=degraded`; empty where all are. */
  readonly troubles: string
}

/** Whoever follows was too slow: so many happenings before the next one were dropped. */
export interface Missed {
  readonly _tag: "Missed"
  readonly count: number
}

/** One thing that happens in a running collector; told apart by `_tag`. */
export type Happening =
  | Delivered
  | Retried
  | Abandoned
  | PutAside
  | CircuitOpened
  | CircuitClosed
  | KindPaused
  | KindResumed
  | RuleSet
  | RuleEnded
  | ConfigInstalled
  | ConfigRefused
  | ReloadFailed
  | HealthChanged
  | Missed
