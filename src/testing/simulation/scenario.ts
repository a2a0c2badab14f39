/** A scenario as data: the replicas' settings, the traffic, what is to go wrong, and what an operator does about it. */
import type { Duration } from "effect"
import type { StreamSet } from "../../domain/options/options.ts"
import type { Rate } from "../../domain/traffic/rate.ts"
import type { Fault } from "../world/faults.ts"
import type { NetworkConditions } from "../world/http.ts"

/**
 * What an event is made to come to: `good` is delivered; `rejected` the API refuses for good, `failing` it never manages;
 * `invalid` breaks a rule; `garbled` is an entry of the DLQ that nobody can read; `poison` kills who sends it.
 */
export type Nature = "good" | "rejected" | "failing" | "invalid" | "garbled" | "poison"

/** An event as it was produced. */
export interface Produced {
  readonly eventId: string
  readonly nature: Nature
  readonly stream: string
  readonly entryId: string
  readonly fields: ReadonlyArray<string>
  /** Its values of the fields by which events are isolated. */
  readonly values: Readonly<Record<string, string | undefined>>
  /** Invalid for its time alone, which is looked at when it is read first: a replay is the way to have it sent. */
  readonly untimely: boolean
}

/** Something that befalls a command on its way: Ctrl-C, SIGKILL, SIGSTOP, its connection reset or half open. */
export interface Mishap {
  readonly kind: "interrupt" | "kill" | "pause" | "reset" | "stall"
  /** Milliseconds after its start. */
  readonly after: number
}

/** One `abandoned replay`, run again until it is done or given up. */
export interface OperatorVisit {
  /** Milliseconds after the world's start. */
  readonly at: number
  /** All, what was given up for one reason, or one entry: by its own id, or its event's. */
  readonly what: "all" | "exhausted" | "rejected" | "invalid" | "poison" | "entry" | "event"
  readonly rate: number
  /** Whether the causes are mended before: the API takes from now on what it never would, or again does not. */
  readonly mended: boolean
  readonly mishap: Mishap | undefined
  /** After how many milliseconds it is run again, if it failed. */
  readonly againMs: number
}

/** A traffic rule that an operator sets, and that is lifted again, or ends by itself. */
export interface RuleVisit {
  /** Milliseconds after the world's start. */
  readonly at: number
  readonly kind: "pause" | "park"
  /** How long it holds, in milliseconds. */
  readonly forMs: number
  readonly expires: boolean
}

/** A partition whose requests hang, fail or are slow at the API, all of them or a share. */
export interface Trouble {
  /** Milliseconds after the world's start. */
  readonly at: number
  readonly lasts: number
  readonly field: "user_id" | "model"
  readonly value: string
  readonly manner: "hangs" | "fails" | "slow"
  readonly share: number
  /** Of those that fail. */
  readonly status: number
}

export interface Traffic {
  /** Events a second, on average. */
  readonly perSecond: number
  /** How often events come in a burst, and how large one is at most. */
  readonly burstChance: number
  readonly burst: number
  /** The share of the events that one user has beside what is everybody's. */
  readonly crowd: number
  /** Shares of the events that are not good. */
  readonly shares: Readonly<Partial<Record<Nature, number>>>
}

/** `busy`: seconds between events and between faults. `trickle`: minutes and hours, so that years pass quickly. */
export type Pace = "busy" | "trickle"

/** Everything that a seed decides about a simulation, but for the order of things. */
export interface Scenario {
  readonly seed: number
  readonly pace: Pace
  /** Which of the fibers that are ready runs next. */
  readonly order: "first-come" | "ranked"
  /** How long traffic and faults last, in milliseconds. */
  readonly durationMs: number
  readonly replicas: ReadonlyArray<{ readonly name: string; readonly consumer: string }>
  readonly streams: StreamSet
  readonly settings: {
    readonly deliveryConcurrency: number
    readonly deliveryRate: Rate | undefined
    readonly dlqHold: number
    readonly claimIdle: Duration.Duration
    readonly maxDeliveries: number
    readonly sourceRetention: "none" | "acknowledged"
    readonly apiTimeout: Duration.Duration
    readonly shutdownTimeout: Duration.Duration
    readonly groupStartId: string
    readonly circuitBreaker: boolean
    readonly isolateBy: ReadonlyArray<string>
    readonly isolateShare: number
    readonly healthInterval: Duration.Duration
    readonly eventMaxAge: Duration.Duration
  }
  readonly traffic: Traffic
  /** Whether somebody among the producers, or the API, means harm. */
  readonly hostile: { readonly producer: boolean; readonly api: boolean }
  /** How often the configuration is synchronised, in milliseconds; undefined where it is not. */
  readonly configEveryMs: number | undefined
  /** The API's mean answering time in milliseconds. */
  readonly apiMs: number
  /** Network conditions while no storm is on. */
  readonly usualConditions: NetworkConditions
  readonly faults: ReadonlyArray<Fault>
  /** Partitions that misbehave at times. */
  readonly troubles: ReadonlyArray<Trouble>
  /** What an operator does, where there is one. */
  readonly operatorPlan: ReadonlyArray<OperatorVisit>
  /** The traffic rules that are set meanwhile. */
  readonly rulePlan: ReadonlyArray<RuleVisit>
}

/** Milliseconds before which nothing goes wrong and no event comes, so that groups stand. */
export const settlingMs = 3_000
