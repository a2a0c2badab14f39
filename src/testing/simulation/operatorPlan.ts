/** An operator who looks after a scenario: when which command is run, what befalls it, and which replicas are renewed. */
import { Duration } from "effect"
import { Chance } from "../world/chance.ts"
import type { Stop } from "../world/faults.ts"
import { type Mishap, type OperatorVisit, type RuleVisit, type Scenario, settlingMs } from "./scenario.ts"

const mishapOf = (chance: Chance): Mishap => ({
  kind: chance.pick(["interrupt", "kill", "pause", "reset", "stall"]),
  // A command is connected after a millisecond or so, and then takes less than one an event, or as its rate has it.
  after: chance.yes(0.5) ? 3 * chance.next() : chance.exponential(100)
})

const visit = (at: number, chance: Chance): OperatorVisit => ({
  at: Math.round(at),
  what: chance.pick(["all", "all", "all", "entry", "event", "exhausted", "rejected", "invalid", "poison"]),
  rate: chance.pick([5, 100, 100, 10_000]),
  mended: chance.yes(0.3),
  mishap: chance.yes(0.4) ? mishapOf(chance) : undefined,
  againMs: chance.int(200, 10_000)
})

/** A rolling change: each replica is stopped, one after the other, and started anew under another name. */
const rollout = (scenario: Scenario, from: number, version: number, chance: Chance): ReadonlyArray<Stop> =>
  scenario.replicas.map(({ consumer, name }, index) => ({
    kind: "stop",
    at: Math.round(from + index * chance.int(100, 20_000)),
    replica: name,
    downFor: chance.int(10, 5_000),
    rename: `${consumer}-v${version}`
  }))

/** The scenario with traffic rules, now and then: from a chance of their own, and nothing else changed. */
export const ruled = (scenario: Scenario): Scenario => {
  const { durationMs, pace, seed } = scenario
  const chance = new Chance(`rules ${pace} ${seed}`)
  if (chance.yes(0.7)) return scenario
  const rulePlan: Array<RuleVisit> = []
  const from = settlingMs + 1_000
  for (
    let at = from + chance.exponential(durationMs / 5);
    at < durationMs * 0.9;
    at += chance.exponential(durationMs / 3)
  ) {
    rulePlan.push({
      at: Math.round(at),
      kind: chance.pick(["pause", "park"]),
      forMs: chance.int(3_000, Math.max(4_000, Math.min(60_000, durationMs / 4))),
      expires: chance.yes(0.5)
    })
  }
  return { ...scenario, rulePlan }
}

/** The scenario with an operator, most of the time: all of it from a chance of its own, and nothing else changed. */
export const attended = (scenario: Scenario): Scenario => {
  const { durationMs, faults, pace, seed, settings } = scenario
  const chance = new Chance(`operator ${pace} ${seed}`)
  if (chance.yes(0.2)) return scenario
  const everyMs = pace === "busy" ? chance.pick([3_000, 10_000, 30_000]) : chance.int(1, 24) * 3_600_000
  const from = settlingMs + 2_000
  const visits: Array<OperatorVisit> = []
  for (let at = from + chance.exponential(everyMs); at < durationMs; at += chance.exponential(everyMs)) {
    visits.push(visit(at, chance))
  }
  // Once nothing goes wrong any more, what was given up so far is redriven.
  visits.push({ ...visit(durationMs + chance.int(1_000, 90_000), chance), what: "all" })
  const rolls: Array<Stop> = []
  if (chance.yes(0.3)) {
    const last = durationMs * 0.9
    const times = [chance.int(from, Math.max(from, last)), ...(chance.yes(0.3) ? [chance.int(from, last)] : [])]
    times.forEach((at, index) => {
      rolls.push(...rollout(scenario, at, index + 2, chance).filter((stop) => stop.at + stop.downFor < last))
    })
  }
  return {
    ...scenario,
    operatorPlan: visits,
    faults: [...faults, ...rolls],
    // What is replayed is older than that by then, and taken all the same.
    settings: { ...settings, eventMaxAge: chance.yes(0.5) ? Duration.seconds(2) : settings.eventMaxAge }
  }
}
