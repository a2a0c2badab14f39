import { Effect } from "effect"
import { type Attempt, afterAttempt, afterProbe, type Circuit, closed } from "../../../domain/delivery/circuit.ts"
import { type ChangeSignal, Waiter } from "../../redis/changeSignal.ts"
import { monotonicMillisOf } from "../../redis/monotonic.ts"
import type { Ramp } from "./ramp.ts"
import type { TrafficRules } from "./trafficRules.ts"

const any = Effect.succeed("any" as const)
const one = Effect.succeed("one" as const)

/**
 * Whether deliveries may go: the circuit breaker, the pause that a 429 asks for, and an operator's, one for the process. All
 * times are the monotonic clock's: a wall clock that is set shifts no probe and no pause.
 */
export class DeliveryGate {
  /** The traffic rules' own as well: who waits for the gate waits for them. */
  readonly changed: ChangeSignal
  /** How deliveries rise where they begin again. */
  readonly ramp: Ramp
  private readonly breaker: boolean
  private readonly traffic: TrafficRules
  private circuit: Circuit = closed
  private pausedUntil = Number.NEGATIVE_INFINITY
  /** The end of the pause that the ramp last took notice of. */
  private rampAfter = Number.NEGATIVE_INFINITY
  /** A probe is due and nothing waits: the readers may fetch one entry. */
  private probeWanted = false

  constructor(breaker: boolean, traffic: TrafficRules, ramp: Ramp) {
    this.breaker = breaker
    this.traffic = traffic
    this.ramp = ramp
    this.changed = traffic.changed
  }

  get circuitOpen(): boolean {
    return this.circuit._tag === "Open"
  }

  /** When the next probe may go; undefined while the circuit is closed. */
  get probeAt(): number | undefined {
    return this.circuit._tag === "Open" ? this.circuit.probeAt : undefined
  }

  /** Probes let through since the circuit opened. */
  get probes(): number {
    return this.circuit._tag === "Open" ? this.circuit.probes : 0
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

  /** Takes in an attempt's result: "opened" or "closed" where it changed the circuit. */
  record(attempt: Attempt): "opened" | "closed" | undefined {
    if (!this.breaker) return undefined
    const before = this.circuit
    this.circuit = afterAttempt(before, attempt)
    if (before._tag === this.circuit._tag) return undefined
    this.probeWanted = false
    if (!this.circuitOpen) this.begin(attempt.now)
    this.changed.notify()
    return this.circuitOpen ? "opened" : "closed"
  }

  /** Notes that a probe was let through. */
  probed(now: number): void {
    if (this.circuit._tag === "Open") this.circuit = afterProbe(this.circuit, now)
    this.probeWanted = false
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
