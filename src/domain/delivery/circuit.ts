/**
 * The circuit breaker as a pure state machine (contract section 6): an outage of the API must burn no attempts, while a
 * few failing events must go through their retries as asked.
 */
import type { AttemptResult } from "./attempt.ts"

export type Circuit = Closed | Open

export interface Closed {
  readonly _tag: "Closed"
  /** Outage-like failures in a row. */
  readonly row: number
  /** Ids of the different events that failed retryably since the last success. */
  readonly failing: ReadonlySet<string>
  /** Retryable failures since the last success. */
  readonly failures: number
}

export interface Open {
  readonly _tag: "Open"
  readonly since: number
  /** Probes that failed so far. */
  readonly probes: number
  /** When the next probe may go, by the monotonic clock. */
  readonly probeAt: number
}

export const rowThreshold = 10
const eventThreshold = 50
const probeDelays = [5_000, 10_000, 20_000, 40_000]
const lastProbeDelay = 60_000
const outageStatuses: ReadonlySet<number> = new Set([401, 403, 404, 429, 502, 503, 504])

export const closed: Closed = { _tag: "Closed", row: 0, failing: new Set(), failures: 0 }

const probeDelay = (probes: number): number => probeDelays[probes] ?? lastProbeDelay

/** Whether a result is of the kind that an outage of the API gives. */
export const looksLikeOutage = (result: AttemptResult): boolean =>
  result._tag === "Failed" &&
  (result.status === undefined
    ? result.errorCode === "TIMEOUT" || result.errorCode === "NETWORK"
    : outageStatuses.has(result.status))

export interface Attempt {
  readonly eventId: string
  readonly result: AttemptResult
  /** No retry can help. */
  readonly rejected: boolean
  /** By the monotonic clock, in milliseconds. */
  readonly now: number
}

/** The circuit after one attempt's result. One that may not open counts on, and opens with the next failure with which it may. */
export const afterAttempt = (circuit: Circuit, attempt: Attempt, mayOpen = true): Circuit => {
  const { eventId, now, rejected, result } = attempt
  if (result._tag === "Accepted") return closed
  if (circuit._tag === "Open") return circuit
  if (rejected) return { ...circuit, row: 0 }
  const row = looksLikeOutage(result) ? circuit.row + 1 : 0
  const failures = circuit.failures + 1
  const failing =
    circuit.failing.size >= eventThreshold || circuit.failing.has(eventId)
      ? circuit.failing
      : new Set(circuit.failing).add(eventId)
  const isReached = row >= rowThreshold || (failures >= eventThreshold && failing.size >= eventThreshold)
  if (mayOpen && isReached) {
    return { _tag: "Open", since: now, probes: 0, probeAt: now + probeDelay(0) }
  }
  return { _tag: "Closed", row, failing, failures }
}

/** The circuit after a probe was let through at `now`: the next one waits longer. */
export const afterProbe = (circuit: Open, now: number): Open => ({
  ...circuit,
  probes: circuit.probes + 1,
  probeAt: now + probeDelay(circuit.probes + 1)
})
