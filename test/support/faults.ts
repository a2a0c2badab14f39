/** What can go wrong in a fault run, drawn by a seed. */

import type { Chance } from "../../src/testing/world/chance.ts"
import type { Answer, ReceivedRequest } from "./receiving-api.ts"
import type { ProxyMode } from "./tcp-proxy.ts"

/** How the API misbehaves. */
export type ApiFault = "down" | "503" | "401" | "slow" | "garbage" | "a third fails" | "answers lost"

export type Fault =
  | { readonly kind: "kill"; readonly replica: number; readonly forMs: number }
  | { readonly kind: "pause"; readonly replica: number; readonly forMs: number }
  | { readonly kind: "leave"; readonly replica: number; readonly forMs: number }
  | { readonly kind: "connection"; readonly replica: number; readonly mode: ProxyMode; readonly forMs: number }
  | { readonly kind: "redis restart"; readonly forMs: number }
  | { readonly kind: "redis wiped"; readonly forMs: number }
  | { readonly kind: "redis flushed"; readonly forMs: number }
  | { readonly kind: "api"; readonly how: ApiFault; readonly forMs: number }

export interface PlannedFault {
  /** Milliseconds after the start of traffic. */
  readonly at: number
  readonly fault: Fault
}

export interface PlanOptions {
  readonly replicas: number
  /** Faults begin within so many milliseconds. */
  readonly withinMs: number
  readonly count: number
  /** The replicas' `CLAIM_IDLE`: pauses last longer. */
  readonly claimIdleMs: number
  /** Whether Redis may lose its data. */
  readonly dataLoss: boolean
}

const apiFaults: ReadonlyArray<ApiFault> = ["down", "503", "401", "slow", "garbage", "a third fails", "answers lost"]

const draw = (chance: Chance, options: PlanOptions): Fault => {
  const replica = chance.int(0, options.replicas - 1)
  const forMs = chance.int(300, 3_000)
  switch (chance.int(0, 9)) {
    case 0:
    case 1:
      return { kind: "kill", replica, forMs }
    case 2:
    case 3:
      return { kind: "pause", replica, forMs: options.claimIdleMs + chance.int(500, 2_500) }
    case 4:
      return { kind: "leave", replica, forMs }
    case 5:
    case 6: {
      const mode = chance.pick<ProxyMode>(["drop", "black-hole", 40, 200])
      return { kind: "connection", replica, mode, forMs }
    }
    case 7:
      if (!options.dataLoss) return { kind: "redis restart", forMs }
      return { kind: chance.pick(["redis restart", "redis wiped", "redis flushed"]), forMs }
    default:
      return { kind: "api", how: chance.pick(apiFaults), forMs }
  }
}

/** The faults of a run, in order of time; several may be at work at once. */
export const plan = (chance: Chance, options: PlanOptions): ReadonlyArray<PlannedFault> =>
  Array.from({ length: options.count }, () => ({
    at: chance.int(500, options.withinMs),
    fault: draw(chance, options)
  })).sort((a, b) => a.at - b.at)

/** One line for the report. */
export const describeFault = ({ at, fault }: PlannedFault): string => {
  const { kind, forMs } = fault
  const what =
    kind === "api"
      ? `api ${fault.how}`
      : kind === "connection"
        ? `connection of ${fault.replica} ${typeof fault.mode === "number" ? `${fault.mode} ms late` : fault.mode}`
        : "replica" in fault
          ? `${kind} ${fault.replica}`
          : kind
  return `${(at / 1_000).toFixed(1)}s ${what} ${forMs}ms`
}

const failure = (status: number): Answer => ({ status, body: { error_code: "E_FAULT", error_message: "on purpose" } })

/** What the API answers under a fault; undefined for success. `slow` is later than the replicas' `API_TIMEOUT`. */
export const faultyAnswer = (
  how: ApiFault,
  request: ReceivedRequest,
  chance: Chance,
  slowMs: number
): Answer | undefined => {
  switch (how) {
    case "down":
      return { status: 0, reset: true }
    case "503":
      return failure(503)
    case "401":
      return failure(401)
    case "slow":
      return { status: 200, body: { job_id: request.eventId, credits_deducted: 1 }, charge: true, delay: slowMs }
    case "garbage":
      return chance.pick<Answer>([
        { status: 200, body: "<html>it works</html>" },
        { status: 200, body: '{"job_id":' },
        { status: 302, body: "", headers: { location: "http://127.0.0.1:1/" } },
        { status: 500, body: "\u0000\u0001" }
      ])
    case "a third fails":
      return chance.yes(1 / 3) ? failure(500) : undefined
    case "answers lost":
      return chance.yes(1 / 2) ? { status: 0, reset: true, charge: true } : undefined
  }
}
