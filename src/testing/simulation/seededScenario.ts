/** What a seed decides before anything happens: the replicas' settings, the traffic, and what is to go wrong. */
import { Duration } from "effect"
import type { StreamSet } from "../../domain/options/options.ts"
import { Chance } from "../world/chance.ts"
import type { Fault } from "../world/faults.ts"
import type { NetworkConditions } from "../world/http.ts"
import { withCore } from "./livenessPlan.ts"
import { isolated } from "./partitionPlan.ts"
import { type Pace, type Scenario, settlingMs } from "./scenario.ts"

const streams: StreamSet = {
  transcribe: "{sim}:transcribe",
  process: "{sim}:process",
  dlq: "{sim}:dlq",
  abandoned: "{sim}:abandoned"
}

const kinds = [
  "crash",
  "stop",
  "pause",
  "cut",
  "redis-away",
  "lost-replies",
  "failover",
  "flush",
  "trim",
  "skew",
  "storm",
  "host"
] as const
type Kind = (typeof kinds)[number]

const storm = (chance: Chance): NetworkConditions => {
  const storms: readonly [() => NetworkConditions, ...ReadonlyArray<() => NetworkConditions>] = [
    () => ({ refused: 1 }),
    () => ({ lost: 1 }),
    () => ({ statuses: { [chance.pick([401, 403, 502, 503, 504])]: 1 } }),
    () => ({ statuses: { 500: 0.2 + 0.3 * chance.next() } }),
    () => ({ statuses: { 429: 0.1 }, retryAfter: chance.int(1, 90) }),
    () => ({ statuses: { 503: 0.2 }, retryAfter: chance.int(1, 60) }),
    () => ({ replyLost: 0.1 + 0.5 * chance.next() }),
    () => ({ garbage: 0.05 + 0.3 * chance.next() }),
    () => ({ slower: chance.int(500, 12_000) }),
    () => ({ refused: 0.1, lost: 0.02, replyLost: 0.05, garbage: 0.05, statuses: { 500: 0.1, 502: 0.1 }, slower: 200 })
  ]
  return chance.pick(storms)()
}

const fault = (kind: Kind, at: number, room: number, replica: string, chance: Chance): Fault => {
  const lasting = (mean: number, most: number) => Math.round(Math.min(room, most, 50 + chance.exponential(mean)))
  switch (kind) {
    case "crash":
      return { kind, at, replica, downFor: lasting(4_000, 60_000), disk: chance.pick(["process", "loss", "reorder"]) }
    case "stop":
      return { kind, at, replica, downFor: lasting(4_000, 60_000) }
    case "pause":
      return { kind, at, replica, lasts: lasting(chance.yes(0.4) ? 2_000 : 30_000, 150_000) }
    case "cut":
      return {
        kind,
        at,
        replica,
        lasts: lasting(chance.yes(0.5) ? 200 : 20_000, 150_000),
        how: chance.pick(["reset", "stall"])
      }
    case "redis-away":
      return { kind, at, lasts: lasting(chance.yes(0.5) ? 300 : 15_000, 120_000) }
    case "lost-replies":
      return { kind, at, lasts: lasting(8_000, 60_000), chance: 0.005 + 0.1 * chance.next() }
    case "failover":
      return { kind, at, loses: Math.round(chance.exponential(700)), lasts: lasting(3_000, 30_000) }
    case "flush":
      return { kind, at }
    case "trim":
      return { kind, at, stream: chance.pick([streams.transcribe, streams.process]), keep: chance.int(0, 50) }
    case "skew":
      return { kind, at, replica, by: Math.round((chance.next() - 0.5) * 180_000), lasts: lasting(60_000, 300_000) }
    case "host":
      return { kind, at, change: chance.pick(["next", "next", "next", "lower", "other", "broken"]) }
    case "storm":
      return { kind, at, lasts: lasting(chance.yes(0.7) ? 10_000 : 60_000, 200_000), conditions: storm(chance) }
  }
}

const faultsOf = (
  chance: Chance,
  durationMs: number,
  replicas: ReadonlyArray<string>,
  meanMs: (chance: Chance) => number
): ReadonlyArray<Fault> => {
  // A few sorts at a time find more than all at once: some mistakes show only where nothing else goes wrong.
  const enabled = kinds.filter(() => chance.yes(0.35))
  const [first, ...rest] = enabled
  if (first === undefined || chance.yes(0.1)) return []
  const last = Math.max(settlingMs, durationMs * 0.9)
  const everyMs = meanMs(chance)
  const faults: Array<Fault> = []
  let flushes = 0
  for (let at = settlingMs + 500 + chance.exponential(everyMs); at < last; at += chance.exponential(everyMs)) {
    const kind = chance.pick([first, ...rest])
    // Where Redis loses data all the time there is little left to judge.
    if ((kind === "flush" || kind === "failover" || kind === "trim") && flushes++ >= 3) continue
    const replica = replicas[chance.int(0, replicas.length - 1)] ?? ""
    faults.push(fault(kind, Math.round(at), durationMs - at, replica, chance))
  }
  const [gone, ...others] = replicas
  // Its entries are the others' from then on: it never comes back.
  if (gone !== undefined && others.length > 0 && chance.yes(0.15)) {
    faults.push({ kind: "crash", at: chance.int(settlingMs + 500, last), replica: gone, downFor: 1e9 })
  }
  return faults
}

const busyFaults = (chance: Chance): number => 4_000 + chance.exponential(30_000)

/**
 * The scenario of a seed at a pace: replicas, settings, traffic and faults of `durationMs` milliseconds, as {@link simulate} lives
 * through it. A variation of an odd number has other faults.
 */
export const scenarioOf = (seed: number, durationMs: number, pace: Pace = "busy", variation = 0): Scenario =>
  pace === "busy"
    ? withCore(perhapsLimited(isolated(busyScenario(seed, durationMs, variation))))
    : trickleScenario(seed, durationMs, variation)

const faultsName = (variation: number): string => (variation % 2 === 0 ? "faults" : `faults ${variation}`)

/** One replica with an event every few minutes, a fault every few hours, and everything that goes by the clock. */
const trickleScenario = (seed: number, durationMs: number, variation: number): Scenario => {
  const busy = busyScenario(seed, settlingMs, 0)
  const chance = new Chance(`trickle ${seed}`)
  const replicas = busy.replicas.slice(0, 1)
  const faults = faultsOf(
    chance.fork(faultsName(variation)),
    durationMs,
    replicas.map(({ name }) => name),
    () => chance.int(2, 12) * 3_600_000
  )
  return {
    ...busy,
    pace: "trickle",
    durationMs,
    replicas,
    settings: {
      ...busy.settings,
      deliveryConcurrency: 64,
      deliveryRate: undefined,
      claimIdle: Duration.minutes(10),
      healthInterval: Duration.minutes(5)
    },
    traffic: { ...busy.traffic, perSecond: 1 / 300 },
    hostile: { producer: false, api: false },
    configEveryMs: 300_000,
    usualConditions: { statuses: { 500: 0.15 } },
    faults
  }
}

/** Limits every fifth to somewhat more than comes in, so that what a fault held up is done in the end. */
const perhapsLimited = (scenario: Scenario): Scenario => {
  if (!new Chance(`rate ${scenario.seed}`).yes(0.2)) return scenario
  const count = Math.max(2, Math.ceil(1.3 * scenario.traffic.perSecond))
  return { ...scenario, settings: { ...scenario.settings, deliveryRate: { count, perMs: 1_000 } } }
}

const busyScenario = (seed: number, durationMs: number, variation: number): Scenario => {
  const chance = new Chance(`scenario ${seed}`)
  const count = chance.pick([1, 2, 2, 2, 3, 3, 4])
  const names = Array.from({ length: count }, (_, index) => `replica-${index + 1}`)
  const sameName = chance.yes(0.1)
  const replicas = names.map((name) => ({ name, consumer: sameName ? "replica" : name }))
  const faults = faultsOf(chance.fork(faultsName(variation)), durationMs, names, busyFaults)
  // Of a chance of its own: the rest of a seed's scenario is the same, whoever takes part in it.
  const malice = new Chance(`hostile ${seed}`)
  const hostile = { producer: malice.yes(0.2), api: malice.yes(0.2) }
  const loses = faults.some(({ kind }) => kind === "flush" || kind === "failover")
  return {
    seed,
    pace: "busy",
    order: new Chance(`order ${seed} ${variation}`).yes(0.5) ? "ranked" : "first-come",
    durationMs,
    replicas,
    streams,
    settings: {
      deliveryConcurrency: chance.pick([1, 2, 4, 8, 16, 64, 64]),
      deliveryRate: undefined,
      dlqHold: chance.pick([5, 50, 10_000, 10_000]),
      claimIdle: Duration.seconds(chance.pick([5, 15, 30, 60, 60])),
      maxDeliveries: chance.pick([5, 10, 10]),
      sourceRetention: chance.yes(0.5) ? "acknowledged" : "none",
      apiTimeout: Duration.seconds(chance.pick([2, 10, 10])),
      shutdownTimeout: Duration.seconds(chance.pick([3, 25])),
      // A replica that starts after a flush, and remembers nothing, would pass over what came since with `$`.
      groupStartId: loses || chance.yes(0.5) ? "0" : "$",
      circuitBreaker: true,
      isolateBy: ["model", "user_id"],
      isolateShare: 0.5,
      healthInterval: Duration.seconds(15),
      eventMaxAge: Duration.days(7)
    },
    traffic: {
      perSecond: chance.pick([0.5, 2, 5, 10, 10, 20]),
      burstChance: chance.yes(0.5) ? 0.05 : 0,
      burst: chance.pick([10, 50, 200]),
      crowd: 0,
      shares: {
        rejected: chance.yes(0.5) ? 0.01 : 0,
        failing: chance.yes(0.5) ? chance.pick([0.005, 0.02]) : 0,
        invalid: chance.yes(0.5) ? 0.02 : 0,
        garbled: chance.yes(0.2) ? 0.003 : 0,
        poison: chance.yes(0.15) ? 0.002 : 0
      }
    },
    hostile,
    configEveryMs: chance.yes(0.5) ? chance.pick([5_000, 20_000, 60_000]) : undefined,
    apiMs: chance.pick([5, 30, 30, 200]),
    usualConditions: chance.pick<NetworkConditions>([
      {},
      { statuses: { 500: 0.15 } },
      { statuses: { 500: 0.03 } },
      { statuses: { 500: 0.03 } },
      { statuses: { 429: 0.01 }, retryAfter: 7 }
    ]),
    faults,
    troubles: [],
    operatorPlan: [],
    rulePlan: []
  }
}
