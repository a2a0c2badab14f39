import { Effect } from "effect"
import type { Attempt } from "../../../domain/delivery/circuit.ts"
import { type CircuitChange, Circuits } from "../../../domain/delivery/circuits.ts"
import { Pauses } from "../../../domain/delivery/pauses.ts"
import type { CollectorOptions } from "../../../domain/options/options.ts"
import type { PartitionValues } from "../../../domain/traffic/isolation.ts"
import { type ChangeSignal, Waiter } from "../../redis/changeSignal.ts"
import { monotonicMillisOf } from "../../redis/monotonic.ts"
import type { OwnedEntry } from "./ownedEntry.ts"
import type { Ramp } from "./ramp.ts"
import type { TrafficRules } from "./trafficRules.ts"

const any = Effect.succeed("any" as const)
const one = Effect.succeed("one" as const)

/**
 * Whether deliveries may go: the API's circuit, the pause that a 429 asks for, and an operator's, one for the process, and the
 * circuits and pauses of single partitions. All times are the monotonic clock's: a wall clock that is set shifts no probe and no pause.
 */
export class DeliveryGate {
  /** The traffic rules' own as well: who waits for the gate waits for them. */
  readonly changed: ChangeSignal
  /** How deliveries rise where they begin again. */
  readonly ramp: Ramp
  private readonly traffic: TrafficRules
  readonly circuits: Circuits
  private readonly isolated: number
  /** Of single partitions. */
  readonly pauses = new Pauses()
  private pausedUntil = Number.NEGATIVE_INFINITY
  /** The end of the pause that the ramp last took notice of. */
  private rampAfter = Number.NEGATIVE_INFINITY
  /** A probe is due and nothing waits: the readers may fetch one entry. */
  private probeWanted = false
  /** The last probe that was let through, until it is under way. */
  private probe: OwnedEntry | undefined

  constructor({ circuitBreaker, isolateBy }: CollectorOptions, traffic: TrafficRules, ramp: Ramp) {
    this.isolated = isolateBy.length
    this.circuits = new Circuits(circuitBreaker, this.isolated)
    this.traffic = traffic
    this.ramp = ramp
    this.changed = traffic.changed
  }

  /** Whether the API's circuit is open. */
  get circuitOpen(): boolean {
    return this.circuits.apiOpen !== undefined
  }

  /** When the next probe of the API may go; undefined while its circuit is closed. */
  get probeAt(): number | undefined {
    return this.circuits.apiOpen?.probeAt
  }

  /** Probes let through since the API's circuit opened. */
  get probes(): number {
    return this.circuits.apiOpen?.probes ?? 0
  }

  /** Until when a 429 has asked to wait. */
  get retryAfterEnds(): number {
    return this.pausedUntil
  }

  /** Until when nothing may begin, not even a probe: in the past where nothing is paused, infinite while nobody lifts a rule. */
  get pauseEnds(): number {
    return Math.max(this.pausedUntil, this.traffic.pauseEnds)
  }

  /** Whether ordinary work may start at `now`. */
  flows(now: number): boolean {
    return !this.circuitOpen && now >= this.pauseEnds
  }

  /** Deliveries begin, few at first: at `now`, or when the pause ends. */
  begin(now: number): void {
    this.ramp.begin(Math.max(now, this.pauseEnds))
  }

  /** Keeps the ramp in step with the pauses: it begins where one ends, by itself or because it was lifted. */
  followPauses(now: number): void {
    const before = this.rampAfter
    this.rampAfter = this.pauseEnds
    if (this.rampAfter !== before && Math.max(this.rampAfter, before) > now) this.begin(now)
  }

  /** Takes in the result of an attempt of an event: the circuits that it changed. */
  record(attempt: Attempt, values: PartitionValues): ReadonlyArray<CircuitChange> {
    const changes = this.circuits.record(attempt, values)
    if (changes.length === 0) return changes
    this.probeWanted = false
    if (changes.some(({ change, partition }) => change === "closed" && partition === undefined)) this.begin(attempt.now)
    this.changed.notify()
    return changes
  }

  /** Notes that an entry was let through as a probe of the API. */
  probed(entry: OwnedEntry, now: number): void {
    this.circuits.probedApi(now)
    this.probeWanted = false
    this.probe = entry
  }

  /** Takes in that an entry may not run: if it was to be a probe, another takes its place. */
  notProbed(entry: OwnedEntry, now: number): void {
    if (this.probe !== entry) return
    this.probe = undefined
    this.circuits.notProbedApi(now)
    this.changed.notify()
  }

  /** Pauses what a 429 was about: a partition while others succeed, else everything. */
  told(values: PartitionValues, until: number, now: number): void {
    const isolated = values.slice(0, this.isolated)
    const partition = this.pauses.told(isolated, until, now, (candidate) => this.circuits.othersSucceed(candidate, now))
    if (partition === undefined) this.pause(until)
  }

  /** Lets the next probe of whatever has an open circuit go at once: true where something has. */
  probeNow(now: number): boolean {
    const isOpen = this.circuits.probeNow(now)
    if (isOpen) this.changed.notify()
    return isOpen
  }

  pause(until: number): void {
    if (until <= this.pausedUntil) return
    this.pausedUntil = until
    this.changed.notify()
  }

  /** Lets the readers fetch one entry for a probe. */
  wantProbe(): void {
    if (this.probeWanted) return
    this.probeWanted = true
    this.changed.notify()
  }

  /** Waits until entries may be read: any number, or one for a probe. */
  readonly readable: Effect.Effect<"any" | "one"> = Effect.clockWith((clock) => {
    const waiter = new Waiter(this.changed)
    const now = monotonicMillisOf(clock)
    if (this.flows(now)) return any
    if (this.circuitOpen && this.probeWanted && now >= this.pauseEnds) return one
    return Effect.flatMap(waiter.wait(this.pauseEnds > now ? this.pauseEnds : undefined), () => this.readable)
  })
}
