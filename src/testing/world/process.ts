/** A process of a world: its fibers, its clock, its chance; it can be paused and killed from outside. */
import { Clock, Context, Duration, Effect, type Fiber, Metric, Random, References, Scheduler } from "effect"
import type { Turn } from "./agenda.ts"
import type { Chance } from "./chance.ts"
import type { Kernel } from "./kernel.ts"
import type { Rank } from "./ranking.ts"

/** Operations after which a fiber lets others run: Effect's own default. */
const opsBeforeYield = 2_048

/** One process of a world: its clock, its fibers, and whether it lives, stands still or is gone. */
export class Process implements Turn {
  readonly name: string
  readonly chance: Chance
  /** What every fiber of the process runs with. */
  readonly context: Context.Context<never>
  /** How far its wall clock is ahead of the world's, in milliseconds. */
  skew = 0
  private readonly kernel: Kernel
  private state: "running" | "paused" | "dead" = "running"
  private putOff: Array<() => void> = []
  private readonly fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  private readonly ends: Array<() => void> = []

  constructor(kernel: Kernel, name: string, chance: Chance) {
    this.kernel = kernel
    this.name = name
    this.chance = chance
    this.context = Context.empty().pipe(
      Context.add(Clock.Clock, this.clock()),
      Context.add(Scheduler.Scheduler, this.scheduler()),
      Context.add(Random.Random, chance.service),
      Context.add(Metric.MetricRegistry, new Map()),
      Context.add(References.TracerEnabled, false),
      Context.add(References.MinimumLogLevel, kernel.traced ? "Debug" : "None")
    )
  }

  get alive(): boolean {
    return this.state !== "dead"
  }

  get paused(): boolean {
    return this.state === "paused"
  }

  /** The wall clock as this process reads it, in epoch milliseconds. */
  get now(): number {
    return this.kernel.millis + this.skew
  }

  private clock(): Clock.Clock {
    const now = () => this.now
    const nanos = () => BigInt(this.kernel.microseconds) * 1_000n
    const wallNanos = () => nanos() + BigInt(this.skew) * 1_000_000n
    return {
      currentTimeMillisUnsafe: now,
      currentTimeMillis: Effect.sync(now),
      currentTimeNanosUnsafe: wallNanos,
      currentTimeNanos: Effect.sync(wallNanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) => {
        const millis = Duration.toMillis(duration)
        if (millis <= 0) return Effect.yieldNow
        if (!Number.isFinite(millis)) return Effect.never
        // Whole milliseconds, at least one: as the timers of Node.
        const micros = Math.max(1, Math.trunc(millis)) * 1_000
        return Effect.callback<void>((resume) => {
          const cancel = this.after(micros, () => resume(Effect.void))
          return Effect.sync(cancel)
        })
      }
    }
  }

  private scheduler(): Scheduler.Scheduler {
    const { ranking } = this.kernel
    const flush = () => this.kernel.settle()
    const inTurn: Scheduler.SchedulerDispatcher = { scheduleTask: (task) => this.kernel.enqueue(this, task), flush }
    // Every fiber asks for a dispatcher of its own.
    const ranked = (rank: Rank): Scheduler.SchedulerDispatcher => ({
      scheduleTask: (task) => this.kernel.enqueue(this, task, rank),
      flush
    })
    return {
      executionMode: "async",
      shouldYield: (fiber) => fiber.currentOpCount >= opsBeforeYield,
      makeDispatcher: () => (ranking === undefined ? inTurn : ranked(ranking.newcomer()))
    }
  }

  take(run: () => void): void {
    if (this.state === "running") run()
    else if (this.state === "paused") this.putOff.push(run)
  }

  /** A timer of this process, in microseconds; the function returned calls it off. */
  after(micros: number, run: () => void): () => void {
    return this.kernel.after(micros, this, run)
  }

  /** Runs an effect in this process; `onExit` is told unless the process dies first. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    const fiber = Effect.runForkWith(this.context)(effect)
    this.fibers.add(fiber)
    fiber.addObserver(() => this.fibers.delete(fiber))
    return fiber
  }

  /** What is to be done when the process dies: its connections close. */
  onDeath(run: () => void): void {
    this.ends.push(run)
  }

  /** SIGSTOP: timers and answers wait until it goes on. */
  pause(): void {
    if (this.state === "running") this.state = "paused"
  }

  /** SIGCONT. */
  resume(): void {
    if (this.state !== "paused") return
    this.state = "running"
    const waiting = this.putOff
    this.putOff = []
    for (const run of waiting) this.kernel.after(0, this, run)
  }

  /** SIGKILL: no fiber runs again, no finalizer either. */
  kill(): void {
    if (this.state === "dead") return
    this.state = "dead"
    this.putOff = []
    this.fibers.clear()
    for (const run of this.ends.splice(0)) run()
  }
}
