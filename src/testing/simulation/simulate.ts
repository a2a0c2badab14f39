/** One seed, from its scenario to its verdict. */

import { Duration, Layer } from "effect"
import type { CollectorOptions } from "../../domain/options/options.ts"
import { JobCollector, type JobCollectorOptions } from "../../JobCollector.ts"
import { SimulatedGateway } from "../SimulatedGateway.ts"
import type { Exchange } from "../world/http.ts"
import type { TraceLine } from "../world/kernel.ts"
import type { Process } from "../world/process.ts"
import type { Overrides, Replica } from "../world/replica.ts"
import { World } from "../world/world.ts"
import { blame } from "./checkers/blame.ts"
import { bounds } from "./checkers/bounds.ts"
import { type Checker, isSuccess, type Scene, type Violation } from "./checkers/checker.ts"
import { circuit } from "./checkers/circuit.ts"
import { configDirectory, configuration } from "./checkers/configuration.ts"
import { conservation } from "./checkers/conservation.ts"
import { history } from "./checkers/history.ts"
import { life } from "./checkers/life.ts"
import { ownership } from "./checkers/ownership.ts"
import { partitions } from "./checkers/partitions.ts"
import { poison } from "./checkers/poison.ts"
import { requests } from "./checkers/requests.ts"
import { schedule } from "./checkers/schedule.ts"
import { sharing } from "./checkers/sharing.ts"
import { traffic } from "./checkers/traffic.ts"
import { EventRecords, jsonOf } from "./eventRecords.ts"
import { SimulatedJobsApi } from "./jobsApi.ts"
import { goneForGood } from "./livenessPlan.ts"
import { Operator } from "./operator.ts"
import { attended, ruled } from "./operatorPlan.ts"
import { perhapsCalm, troubleAt } from "./partitionPlan.ts"
import { rareStates } from "./rareStates.ts"
import { type Pace, type Scenario, settlingMs } from "./scenario.ts"
import { scenarioOf } from "./seededScenario.ts"
import { Reader, type StreamEvent } from "./streamEvents.ts"
import type { Outcomes } from "./tally.ts"
import { TrafficOperator } from "./trafficOperator.ts"
import { produce } from "./workload.ts"

/** A deliberate mistake, put between the app and what it is given, or into its settings. */
export interface Bug {
  readonly name: string
  /** The rule that it breaks. */
  readonly rule: string
  /** What it does wrong, in a line. */
  readonly wrong: string
  readonly overrides?: (process: Process, scenario: Scenario) => Overrides
  readonly settings?: Partial<CollectorOptions>
}

/** What to simulate: the scenario follows from `seed`, `durationMs` and `pace`. */
export interface SimulateOptions {
  readonly seed: number
  /** How long traffic and faults last, in milliseconds of the world. */
  readonly durationMs: number
  /** `busy` where not given. */
  readonly pace?: Pace | undefined
  /** The same settings and plans in another order of things; an odd number has other faults as well. The seed itself where not given. */
  readonly variation?: number | undefined
  readonly trace?: boolean
  /** Indexes of the faults to keep; all where not given. */
  readonly faults?: ReadonlyArray<number> | undefined
  readonly bug?: Bug | undefined
  /** Ends the run as soon as this rule is broken: nobody asks for more. */
  readonly untilRule?: string | undefined
  /** Whether an operator looks after it, most of the time: redrives what was given up, and renews replicas. */
  readonly operator?: boolean
  /** Told how far the world is, whenever the checkers look around. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** How far a world is that still runs. */
export interface Progress {
  /** Milliseconds of the world. */
  readonly elapsedMs: number
  /** Events produced, and those among them that the checkers still remember. */
  readonly produced: number
  readonly remembered: number
  readonly commands: number
  /** Faults that have begun. */
  readonly faults: number
  readonly violations: number
}

/** The total queue, counted. */
export interface Tally extends Outcomes {
  readonly commands: number
  /** Milliseconds of the world, until all was drained. */
  readonly elapsedMs: number
}

/** How a simulation ended: good where `violations` is empty. Equal hashes are equal histories. */
export interface Verdict {
  readonly seed: number
  readonly hash: string
  readonly scenario: Scenario
  readonly violations: ReadonlyArray<Violation>
  readonly tally: Tally
  readonly trace: ReadonlyArray<TraceLine>
  /** How often each of the rare states was seen, by its name. */
  readonly rare: Readonly<Record<string, number>>
}

/** How long everything may take to drain once traffic and faults have ended, in milliseconds of the world. */
const drainMs = 20 * 60_000
/** How often the checkers look around, in milliseconds of the world. */
const lookEveryMs: Readonly<Record<Pace, number>> = { busy: 1_000, trickle: 30_000 }
/** Violations after which there is nothing more to learn. */
const mostViolations = 20

const appOf = (scenario: Scenario, settings: Partial<CollectorOptions>) => {
  const { configEveryMs, replicas, streams } = scenario
  const gateways = replicas.map(() => new SimulatedGateway(configDirectory))
  return ({ alias, index, name }: Replica) => {
    const options: JobCollectorOptions = {
      apiBaseUrl: "http://api.test",
      ...scenario.settings,
      consumerName: alias === name ? (replicas[index]?.consumer ?? name) : alias,
      streams: [streams],
      ...settings
    }
    const gateway = gateways[index]
    if (configEveryMs === undefined || gateway === undefined) return JobCollector.layer(options)
    const interval = Duration.millis(configEveryMs)
    const configSync = { interval, directory: configDirectory, drift: "repair" as const }
    return JobCollector.layer({ ...options, configSync }).pipe(Layer.provide(gateway.layer))
  }
}

/** Brings the records up to a stream event. */
const update = (records: EventRecords, streamEvent: StreamEvent): void => {
  if (streamEvent._tag === "Acknowledged") {
    for (const id of streamEvent.ids) records.acknowledged(streamEvent.stream, id)
  } else if (streamEvent._tag === "Moved") {
    records.acknowledged(streamEvent.from, streamEvent.id)
    const { from, id } = streamEvent
    add(records, streamEvent.to, streamEvent.newId, streamEvent.fields, records.at(from, id))
  } else if (streamEvent._tag === "Added") add(records, streamEvent.stream, streamEvent.id, streamEvent.fields)
  else if (streamEvent._tag === "Removed") for (const id of streamEvent.ids) records.unabandoned(streamEvent.stream, id)
  else if (streamEvent._tag === "Replayed") {
    const { from, id, newId, to } = streamEvent
    const round = records.at(from, id)
    records.unabandoned(from, id)
    if (round !== undefined) records.begun(round.record, to, newId)
  }
}

const add = (
  records: EventRecords,
  stream: string,
  id: string,
  fields: ReadonlyArray<string>,
  round = records.ofCopy(stream, fields)
): void => {
  if (round === undefined) {
    const record = records.ofFields(fields)
    if (record !== undefined) records.begun(record, stream, id)
    return
  }
  records.copied(round, stream, id, fields)
  const { attempt, not_before: notBefore, set_aside: setAside } = jsonOf(fields, "retry")
  // Of what was set aside it is no retry's time.
  if (typeof attempt !== "number" || typeof notBefore !== "number" || setAside !== undefined) return
  round.notBefore.set(attempt, Math.min(notBefore, round.notBefore.get(attempt) ?? notBefore))
}

/** How long the last word takes to reach every replica, in milliseconds. */
const settledMs = ({ configEveryMs = 0 }: Scenario): number => 60_000 + 2 * configEveryMs

/** Lets the checkers look on, each at records that are up to date: those of an answer and a fault, not those of a request. */
const observe = ({ api, records, world }: Scene, checkers: ReadonlyArray<Checker>, count: () => void): void => {
  const onStreamEvent = checkers.flatMap((checker) => checker.onStreamEvent ?? [])
  const onRecords = checkers.flatMap((checker) => checker.onRecords ?? [])
  const reader = new Reader(world.redis, (streamEvent, process) => {
    for (const look of onStreamEvent) look(streamEvent, process)
    update(records, streamEvent)
    for (const look of onRecords) look(streamEvent, process)
  })
  const recordOf = ({ request }: Exchange) => records.ofEvent(request.headers["idempotency-key"] ?? "")
  world.watch({
    onCommand: (_process, name, args) => {
      count()
      reader.before(name, args)
    },
    onExecuted: (executed) => reader.after(executed),
    onEnd: (exchange, status, body) => {
      const record = recordOf(exchange)
      if (record === undefined) return
      const success = isSuccess(status, body)
      if (success) record.successes += 1
      const round = records.ofRequest(exchange.request)
      if (round === undefined) return
      if (!success) round.failures += 1
      round.statuses.add(status)
    },
    onFault: (fault, phase) => {
      const loses = fault.kind === "failover" || fault.kind === "flush" || fault.kind === "trim"
      if (loses && phase === "begins") records.survey(fault.kind)
      if (fault.kind === "host" && phase === "begins") api.configurations.change(fault.change)
    }
  })
  for (const checker of checkers) world.watch(checker)
  world.watch({
    onSent: (exchange) => {
      const record = recordOf(exchange)
      if (record !== undefined) record.requests += 1
    }
  })
}

/**
 * Draws a scenario from the seed (replicas, settings, traffic, faults, an operator), lives through it, and judges it by every
 * guarantee of contract section 6. Throws only if the simulation itself is broken.
 *
 * @example
 * ```ts
 * import { simulate } from "job-collector/testing"
 *
 * const { violations } = simulate({ seed: 1, durationMs: 5_000 })
 *
 * export const example = violations.length === 0
 * ```
 */
export const simulate = (options: SimulateOptions): Verdict => {
  const {
    bug,
    durationMs,
    faults: kept,
    onProgress,
    pace = "busy",
    seed,
    trace = false,
    untilRule,
    variation = 0
  } = options
  const alone = scenarioOf(seed, durationMs, pace, variation)
  const planned = perhapsCalm((options.operator ?? true) ? ruled(attended(alone)) : alone)
  const faults = kept === undefined ? planned.faults : planned.faults.filter((_, index) => kept.includes(index))
  const scenario: Scenario = { ...planned, faults }
  const app = appOf(scenario, bug?.settings ?? {})
  const api = new SimulatedJobsApi(
    (eventId) => {
      if (operator.mended) return undefined
      if (eventId.startsWith("rejected-")) return 422
      return eventId.startsWith("failing-") ? 500 : undefined
    },
    scenario.apiMs,
    scenario.hostile.api,
    scenario.troubles.length === 0 ? undefined : (values) => troubleAt(scenario.troubles, values, world.elapsed)
  )
  const violations: Array<Violation> = []
  const rare: Record<string, number> = {}
  let commands = 0
  let faultsBegun = 0
  let isEnough = false
  const report = (rule: string, detail: string) => {
    world.kernel.note("checker", rule, detail)
    const phase = world.elapsed < durationMs ? "safety" : "liveness"
    violations.push({ rule, phase, at: world.elapsed, detail })
    isEnough ||= rule === untilRule || violations.length >= mostViolations
  }
  const world: World = new World({
    seed: variation === 0 ? seed : `${seed}/${variation}`,
    trace,
    order: scenario.order,
    replicas: scenario.replicas.map(({ name }) => name),
    app,
    host: api.host,
    faults,
    poison: (request) => {
      const eventId = request.headers["idempotency-key"] ?? ""
      const round = eventId.startsWith("poison-") && !operator.mended ? records.ofRequest(request) : undefined
      if (round === undefined) return undefined
      for (const checker of checkers) checker.onKill?.(round)
      return 1_500
    },
    ...(bug?.overrides === undefined
      ? {}
      : { overrides: (process: Process) => bug.overrides?.(process, scenario) ?? {} })
  })
  world.http.usualConditions = scenario.usualConditions
  const records = new EventRecords(world.redis, scenario)
  const scene: Scene = { world, scenario, records, api, report, closedAt: new WeakMap() }
  const operator = new Operator(scene)
  const trafficOperator = new TrafficOperator(scene)
  const checkers: ReadonlyArray<Checker> = [
    ...[
      conservation,
      schedule,
      history,
      requests,
      ownership,
      poison,
      circuit,
      blame,
      bounds,
      traffic,
      partitions,
      configuration,
      sharing,
      life
    ].map((make) => make(scene)),
    operator,
    trafficOperator,
    ...rareStates.map(({ name, watch }) => watch(scene, () => (rare[name] = (rare[name] ?? 0) + 1)))
  ]
  observe(scene, checkers, () => {
    commands += 1
  })
  world.watch({
    onFault: (_fault, phase) => {
      if (phase === "begins") faultsBegun += 1
    }
  })
  const produceGood = produce(world, scenario, settlingMs, (produced) => records.produced(produced))
  const look = () => {
    for (const checker of checkers) checker.onLook?.()
    for (const record of records.forget()) {
      for (const checker of checkers) checker.onLast?.(record)
      api.forget(record.produced.eventId)
    }
    onProgress?.({
      elapsedMs: world.elapsed,
      produced: records.count,
      remembered: records.all.length,
      commands,
      faults: faultsBegun,
      violations: violations.length
    })
    if (world.elapsed < durationMs + drainMs) world.kernel.after(lookEveryMs[pace] * 1_000, undefined, look)
  }
  look()

  const done = () => isEnough
  world.run(durationMs, done)
  world.http.usualConditions = {}
  api.configurations.change("next")
  const deadline = world.elapsed + drainMs
  const drained = () =>
    operator.idle &&
    trafficOperator.idle &&
    records.standing.size === 0 &&
    records.all.every((record) => records.ended(record))
  while (!done() && !drained() && world.elapsed < deadline) {
    world.run(1_000, done)
    // Only a success closes a circuit: life goes on for those that have nothing but bad events left to probe with.
    const broken = goneForGood(faults, world.elapsed)
    for (const { name, run } of world.replicas) {
      if (broken.has(name)) continue
      if (run?.gate.circuitOpen === true) produceGood()
      for (const { field, value } of run?.gate.circuits.openPartitions(1) ?? []) {
        produceGood({ [run?.partitions.partedBy[field] ?? ""]: value })
      }
    }
  }
  // Whoever is stopping or starting ends that first, and every configuration comes up to date.
  if (!done()) world.run(settledMs(scenario), done)
  if (!done()) {
    for (const checker of checkers) {
      for (const record of records.all) checker.onLast?.(record)
      checker.atEnd?.()
    }
  }

  return {
    seed,
    hash: world.hash,
    scenario,
    violations,
    trace: world.trace,
    rare,
    tally: { ...records.outcomes, commands, elapsedMs: world.elapsed }
  }
}
