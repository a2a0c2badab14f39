/**
 * The second phase of a run. In the first, safety, anything may go wrong and nothing bad may happen. In the second, liveness, the
 * faults end for a core of the replicas and for no others, what is broken stays broken, and everything that can end must end.
 */
import { Chance } from "../world/chance.ts"
import { endOf, type Fault } from "../world/faults.ts"
import type { Scenario } from "./scenario.ts"

export type Phase = "safety" | "liveness"

/** Longer than any run. */
const forGood = 1e12

const breakage = (replica: string, at: number, chance: Chance): Fault => {
  const kind = chance.pick(["crash", "pause", "reset", "stall"] as const)
  switch (kind) {
    case "crash":
      return { kind, at, replica, downFor: forGood }
    case "pause":
      return { kind, at, replica, lasts: forGood }
    default:
      return { kind: "cut", at, replica, lasts: forGood, how: kind }
  }
}

/** The scenario with replicas that are broken for good when liveness begins, in half of those that have some to spare. */
export const withCore = (scenario: Scenario): Scenario => {
  const { durationMs, faults, pace, replicas, seed } = scenario
  const chance = new Chance(`liveness ${pace} ${seed}`)
  const gone = goneForGood(faults, durationMs)
  const well = replicas.map(({ name }) => name).filter((name) => !gone.has(name))
  const ownNames = new Set(replicas.map(({ consumer }) => consumer)).size === replicas.length
  if (well.length < 2 || !ownNames || chance.yes(0.5)) return scenario
  const kept = chance.pick(well)
  const broken = well.filter((name) => name !== kept && chance.yes(0.6))
  return { ...scenario, faults: [...faults, ...broken.map((name) => breakage(name, durationMs, chance))] }
}

/** Replicas that something of a plan keeps broken from a time on, in milliseconds after the start. */
export const goneForGood = (faults: ReadonlyArray<Fault>, from: number): ReadonlySet<string> =>
  new Set(
    faults.flatMap((fault) =>
      "replica" in fault && fault.at <= from && endOf(fault) >= forGood / 1e3 ? [fault.replica] : []
    )
  )
