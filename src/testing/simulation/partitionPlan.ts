/** Partitions of which one misbehaves at times: what a seed decides of isolation, from a chance of its own. */
import { Duration } from "effect"
import { Chance } from "../world/chance.ts"
import { type Scenario, settlingMs, type Trouble } from "./scenario.ts"

const fields = ["user_id", "user_id", "model"] as const

const troubleOf = (at: number, lasts: number, chance: Chance): Trouble => {
  const field = chance.pick(fields)
  return {
    at: Math.round(at),
    lasts: Math.round(lasts),
    field,
    value: field === "user_id" ? "user-1" : chance.pick(["gpt-4o", "whisper-1"]),
    manner: chance.pick(["hangs", "hangs", "fails", "fails", "slow"]),
    share: chance.pick([1, 1, 1, 0.05]),
    status: chance.pick([503, 503, 500, 429])
  }
}

/** The scenario with its isolation, and half of the time with partitions that hang, fail or are slow. */
export const isolated = (scenario: Scenario): Scenario => {
  const { durationMs, seed, settings } = scenario
  const chance = new Chance(`partitions ${seed}`)
  const isolateBy = chance.pick([["model", "user_id"], ["model", "user_id"], ["user_id"], ["model"], []])
  const isolateShare = chance.pick([0.25, 0.5, 0.5, 0.75, 1])
  const parted: Scenario = { ...scenario, settings: { ...settings, isolateBy, isolateShare } }
  if (chance.yes(0.5)) return parted
  // Others have had successes by then: what fails is one partition's.
  const from = settlingMs + 10_000
  const troubles: Array<Trouble> = []
  const wanted = chance.pick([1, 1, 2])
  for (let i = 0; i < wanted; i++) {
    const at = from + chance.next() * Math.max(0, durationMs * 0.6 - from)
    troubles.push(troubleOf(at, Math.min(durationMs - at, 10_000 + chance.exponential(30_000)), chance))
  }
  return { ...parted, troubles, traffic: { ...parted.traffic, crowd: chance.pick([0, 0.3, 0.6]) } }
}

/** A scenario in which nothing happens but that one user's requests hang, or fail, who wants more than a share. */
const calm = (scenario: Scenario, manner: Trouble["manner"]): Scenario => ({
  ...scenario,
  replicas: scenario.replicas.slice(0, 1),
  settings: {
    ...scenario.settings,
    deliveryConcurrency: 16,
    deliveryRate: undefined,
    apiTimeout: Duration.seconds(10),
    dlqHold: 10_000,
    isolateBy: ["user_id"],
    isolateShare: 0.5
  },
  traffic: { perSecond: 20, burstChance: 0, burst: 0, crowd: 0.8, shares: {} },
  hostile: { producer: false, api: false },
  usualConditions: {},
  apiMs: 30,
  faults: [],
  operatorPlan: [],
  rulePlan: [],
  troubles: [
    {
      at: settlingMs + 20_000,
      lasts: 9_000,
      field: "user_id",
      value: "user-1",
      manner,
      share: 1,
      status: 503
    }
  ]
})

/** The scenario, or of a few seeds a calm one. */
export const perhapsCalm = (scenario: Scenario): Scenario => {
  const chance = new Chance(`calm ${scenario.seed}`)
  return scenario.pace === "busy" && chance.yes(0.03) ? calm(scenario, chance.pick(["hangs", "fails"])) : scenario
}

/** What troubles an event's partitions at a time, in milliseconds after the world's start. */
export const troubleAt = (
  troubles: ReadonlyArray<Trouble>,
  values: Readonly<Record<string, unknown>>,
  elapsed: number
): Trouble | undefined =>
  troubles.find(
    ({ at, field, lasts, value }) => at <= elapsed && elapsed < at + lasts && String(values[field]) === value
  )
