/** What a checker is: it looks on, and reports what must never happen. */

import type { Process } from "../../world/process.ts"
import type { Watcher, World } from "../../world/world.ts"
import type { EventRecord, Round } from "../eventRecord.ts"
import type { EventRecords } from "../eventRecords.ts"
import type { SimulatedJobsApi } from "../jobsApi.ts"
import type { Phase } from "../livenessPlan.ts"
import type { Scenario } from "../scenario.ts"
import type { StreamEvent } from "../streamEvents.ts"

/** Something that must never happen did. */
export interface Violation {
  /** The rule's name. */
  readonly rule: string
  readonly phase: Phase
  /** Milliseconds after the world's start. */
  readonly at: number
  readonly detail: string
}

/** What a checker looks at. */
export interface Scene {
  readonly world: World
  readonly scenario: Scenario
  readonly records: EventRecords
  readonly api: SimulatedJobsApi
  readonly report: (rule: string, detail: string) => void
  /** When a process's circuit of the API, which surely was open, was closed last, in milliseconds after the world's start. */
  readonly closedAt: WeakMap<Process, number>
}

export interface Checker extends Watcher {
  /** After a command changed a stream; the records are not yet brought up to it. */
  readonly onStreamEvent?: (streamEvent: StreamEvent, process: Process | undefined) => void
  /** After the records were brought up to a stream event. */
  readonly onRecords?: (streamEvent: StreamEvent, process: Process | undefined) => void
  /** A poisonous event kills the process that is about to send it. */
  readonly onKill?: (round: Round) => void
  /** Every second; where time flies, every half a minute. */
  readonly onLook?: () => void
  /** The last word on an event: it is over for good and forgotten from here on, or the end has come. */
  readonly onLast?: (record: EventRecord) => void
  /** When all should be done. */
  readonly atEnd?: () => void
}

/** Whether an answer is a success as contract section 4 has it. */
export const isSuccess = (status: number, body: string): boolean => {
  if ((status < 200 || status >= 300) && status !== 409) return false
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value !== "object" || value === null) return false
    const { credits_deducted: credits, job_id: id }: { credits_deducted?: unknown; job_id?: unknown } = value
    const hasId = typeof id === "string" || typeof id === "number"
    return hasId && (status === 409 || Number.isFinite(credits))
  } catch {
    return false
  }
}

/** Faults that hold up what is on its way, keep a replica from reading the rules, or its time from going on. */
const delaying = new Set(["pause", "cut", "redis-away", "lost-replies", "failover", "flush", "skew"])

/** Whether what replicas do, they do in time. */
export const isPrompt = ({ faults }: Scenario): boolean => !faults.some(({ kind }) => delaying.has(kind))

/** Whether a scenario has nothing in it that could take an entry from the replica that works on it. */
export const isUndisturbed = ({ usualConditions, faults, traffic }: Scenario): boolean =>
  usualConditions.replyLost === undefined && faults.length === 0 && !traffic.shares.poison
