/** What configuration sync says of itself to the health checks `config_sync` and `gateway` (contract section 8). */

import { instant } from "../../domain/events/instant.ts"
import type { ConfigRefused } from "../../domain/gatewayConfig/bundle.ts"
import { acceptable } from "../../domain/gatewayConfig/review.ts"
import { isHeld } from "../../domain/gatewayConfig/state.ts"
import type { ConfigSyncCheck, GatewayCheck } from "../../domain/options/health.ts"
import type { Installed } from "../../services/ConfigStore.ts"
import type { ReloadOutcome, SyncOutcome } from "../../services/Metrics.ts"
import { isPending } from "./configReload.ts"

/** What the loop remembers from tick to tick. */
export interface Memory {
  installed: Installed | undefined
  outcome: SyncOutcome | undefined
  tickedAt: number | undefined
  succeededAt: number | undefined
  /** Refused ticks since the last that was changed or unchanged. */
  refusals: number
  offered: ConfigRefused | undefined
  problem: string | undefined
  /** The gateway is being told, or watched whether it follows. */
  telling: boolean
  /** What is wrong with a gateway that needed to be told nothing. */
  gatewayProblem: string | undefined
  reload: { readonly at: number; readonly outcome: ReloadOutcome; readonly problem: string | undefined } | undefined
  readonly gatewayConfigured: boolean
}

export const initialStatus = (gatewayConfigured: boolean): Memory => ({
  installed: undefined,
  outcome: undefined,
  tickedAt: undefined,
  succeededAt: undefined,
  refusals: 0,
  offered: undefined,
  problem: undefined,
  telling: false,
  gatewayProblem: undefined,
  reload: undefined,
  gatewayConfigured
})

/** Times in epoch milliseconds. */
export interface ConfigSyncStatus {
  readonly status: "ok" | "degraded"
  /** Why it is degraded, with the remedy; empty where it is not. */
  readonly problems: ReadonlyArray<string>
  readonly outcome: SyncOutcome | undefined
  readonly lastTickAt: number | undefined
  readonly lastSuccessAt: number | undefined
  readonly version: number | undefined
  readonly generation: number | undefined
  readonly consecutiveRefusals: number
  /** Installs and repairs are suspended. */
  readonly held: boolean
  readonly heldUntil: number | undefined
  /** Versions up to this one stay out. */
  readonly keptOut: number | undefined
  readonly drift: ReadonlyArray<string>
  readonly gateway: {
    readonly status: "off" | "ok" | "degraded"
    readonly problems: ReadonlyArray<string>
    /** A generation is installed that the gateway has not taken up; retried at every tick. */
    readonly pendingReload: boolean
    readonly lastReloadAt: number | undefined
    readonly lastReload: ReloadOutcome | undefined
  }
}

const remedyOf = (error: ConfigRefused): string =>
  acceptable(error)
    ? `to apply it once all the same: config accept ${error.version}`
    : "correct it at the API (config accept <version> is only for a lower version or changed content)"

/** What configuration sync says of itself and of the gateway, for `/health`. */
export interface ConfigChecks {
  readonly config_sync: ConfigSyncCheck
  readonly gateway: GatewayCheck
}

/** Where no configuration sync runs. */
export const configOff: ConfigChecks = { config_sync: { status: "off" }, gateway: { status: "off" } }

const instantOrNothing = (at: number | undefined): string | undefined => (at === undefined ? undefined : instant(at))

const problemOf = (problems: ReadonlyArray<string>): string | undefined =>
  problems.length === 0 ? undefined : problems.join("; ")

export const configChecks = ({ gateway, ...sync }: ConfigSyncStatus): ConfigChecks => ({
  config_sync: {
    status: sync.status,
    problem: problemOf(sync.problems),
    outcome: sync.outcome,
    version: sync.version,
    generation: sync.generation,
    last_tick_at: instantOrNothing(sync.lastTickAt),
    last_success_at: instantOrNothing(sync.lastSuccessAt),
    consecutive_refusals: sync.consecutiveRefusals,
    held: sync.held,
    held_until: instantOrNothing(sync.heldUntil),
    kept_out: sync.keptOut,
    drift: sync.drift
  },
  gateway: {
    status: gateway.status,
    problem: problemOf(gateway.problems),
    pending_reload: gateway.pendingReload,
    last_reload: gateway.lastReload,
    last_reload_at: instantOrNothing(gateway.lastReloadAt)
  }
})

export const statusOf = (memory: Memory, now: number): ConfigSyncStatus => {
  const { installed, offered, problem, refusals, reload } = memory
  const state = installed?.state ?? {}
  const held = isHeld(state, now)
  const drift = installed?.drift ?? []
  const quarantined = state.keptOut?.cause === "gateway" ? state.keptOut.version : undefined
  const problems = [
    ...(problem === undefined ? [] : [problem]),
    ...(offered !== undefined && refusals >= 2
      ? [`refused ${refusals} times in a row: ${offered.problem}; ${remedyOf(offered)}`]
      : []),
    ...(held
      ? [
          `installs are held${typeof state.hold?.until === "number" ? ` until ${instant(state.hold.until)}` : ""}: config hold --off releases them`
        ]
      : []),
    ...(quarantined === undefined
      ? []
      : [`the gateway did not take version ${quarantined} up; to try it again: config accept ${quarantined}`]),
    ...(drift.length === 0 ? [] : [`the files differ from what was installed: ${drift.join("; ")}`])
  ]
  const pendingReload = memory.gatewayConfigured && isPending(installed?.generation, state.settled)
  const gatewayProblems =
    pendingReload && !(memory.telling && reload?.outcome !== "failed")
      ? [`the gateway has not taken the configuration up: ${reload?.problem ?? "it is told at the next tick"}`]
      : !pendingReload && memory.gatewayProblem !== undefined
        ? [memory.gatewayProblem]
        : []
  return {
    status: problems.length === 0 ? "ok" : "degraded",
    problems,
    outcome: memory.outcome,
    lastTickAt: memory.tickedAt,
    lastSuccessAt: memory.succeededAt,
    version: installed?.bundle?.version,
    generation: installed?.generation,
    consecutiveRefusals: refusals,
    held,
    heldUntil: held ? (state.hold?.until ?? undefined) : undefined,
    keptOut: state.keptOut?.version,
    drift,
    gateway: {
      status: memory.gatewayConfigured ? (gatewayProblems.length === 0 ? "ok" : "degraded") : "off",
      problems: gatewayProblems,
      pendingReload,
      lastReloadAt: reload?.at,
      lastReload: reload?.outcome
    }
  }
}
