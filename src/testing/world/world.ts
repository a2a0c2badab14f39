/** A simulated world: replicas of an app, Redis, a host to call, faults; all under one virtual clock and one seed. */
import { Duration, type Effect, type Exit, type Layer } from "effect"
import type { Redis } from "../../services/Redis.ts"
import { Disturbances } from "./disturbances.ts"
import { describe, endOf, type Fault } from "./faults.ts"
import type { Hooks } from "./hooks.ts"
import { type Host, HttpNetwork, type HttpWatcher, type SimulatedRequest } from "./http.ts"
import { Kernel, type TraceLine } from "./kernel.ts"
import { LaunchedProcess } from "./launchedProcess.ts"
import type { Process } from "./process.ts"
import { RedisNetwork, type RedisWatcher } from "./redis.ts"
import { type Given, type Overrides, type ProcessWatcher, Replica } from "./replica.ts"

/** A fault in a test's own words. */
export interface OwnFault {
  readonly kind: "own"
  readonly name: string
  /** Milliseconds after the world's start. */
  readonly at: number
  readonly apply: (world: World) => void
}

/** Looks on at a world; a checker of a test's own is one. */
export interface Watcher extends RedisWatcher, HttpWatcher, ProcessWatcher {
  /** A fault begins, or its cause is over. */
  readonly onFault?: (fault: Fault | OwnFault, phase: "begins" | "ends") => void
}

/** What a world consists of. Times are milliseconds. */
export interface WorldOptions {
  /** Decides every delay and chance of the world: the same seed is the same history. */
  readonly seed: number | string
  /** When it begins, in epoch milliseconds; 1 January 2026 where not given. */
  readonly start?: number
  /** The replicas' names; one `replica-1` where not given. */
  readonly replicas?: ReadonlyArray<string>
  /** The app of a replica: `JobCollector.layer(…)`, or any layer that has it inside. */
  readonly app: (replica: Replica) => Layer.Layer<never, unknown, Given>
  /** What answers the app's HTTP requests. */
  readonly host: Host
  readonly faults?: ReadonlyArray<Fault | OwnFault>
  readonly watchers?: ReadonlyArray<Watcher>
  /**
   * Which of the fibers that are ready runs next: `first-come` as Effect has it (where not given), or `ranked`, by ranks that the
   * seed draws anew every few seconds: what must not depend on the order of fibers shows there whether it does.
   */
  readonly order?: "first-come" | "ranked"
  /** Keeps a readable trace. */
  readonly trace?: boolean
  /** Requests that a process does not live to send: it is killed by them, and started again after so many milliseconds. */
  readonly poison?: (request: SimulatedRequest) => number | undefined
  /** Overrides what a process is given, to see whether a mistake would be found. */
  readonly overrides?: (process: Process) => Overrides
}

const defaultStart = Date.UTC(2026, 0, 1)

/**
 * A simulated world: replicas of an app, Redis, a host that answers their requests, the network between them and faults, under
 * one virtual clock and one seed. Everything happens inside {@link World.run}, synchronously. What a watcher throws is thrown by
 * `run`.
 *
 * @example
 * ```ts
 * import { JobCollector } from "job-collector"
 * import { World } from "job-collector/testing"
 *
 * const delivered: Array<string> = []
 * const world = new World({
 *   seed: 1,
 *   app: () => JobCollector.layer({ apiBaseUrl: "http://api.test", groupStartId: "0" }),
 *   host: ({ headers, path }) => {
 *     if (path !== "/api/jobs/add") return { status: 404 }
 *     delivered.push(headers["idempotency-key"] ?? "")
 *     return { status: 200, afterMs: 20, body: { job_id: 1, credits_deducted: 56 } }
 *   }
 * })
 * const at = new Date(world.now).toISOString()
 * world.add("modelsgateway:events:transcribe", {
 *   event_id: "evt-1",
 *   user_id: "u-1",
 *   device_id: "d-1",
 *   session_id: "s-1",
 *   started_at: at,
 *   completed_at: at,
 *   audio_seconds: "10"
 * })
 * world.run("1 minute")
 *
 * export const example = delivered.join() === "evt-1"
 * ```
 */
export class World {
  readonly kernel: Kernel
  readonly redis: RedisNetwork
  readonly http: HttpNetwork
  readonly replicas: ReadonlyArray<Replica>
  private readonly startedAt: number
  private readonly hooks: Hooks<Watcher> = {
    onCommand: [],
    onExecuted: [],
    onBroken: [],
    onUnheard: [],
    onUnanswered: [],
    onSent: [],
    onArrival: [],
    onAnswer: [],
    onEnd: [],
    onStart: [],
    onGone: [],
    onFault: []
  }
  private readonly disturbances = new Disturbances(this)
  readonly overrides: WorldOptions["overrides"]
  private launches = 0

  constructor(options: WorldOptions) {
    const { app, overrides, faults = [], host, poison, replicas = ["replica-1"], seed } = options
    this.startedAt = options.start ?? defaultStart
    this.overrides = overrides
    this.kernel = new Kernel(String(seed), this.startedAt, options.trace ?? false, options.order === "ranked")
    this.redis = new RedisNetwork(this.kernel, this.hooks)
    this.http = new HttpNetwork(this.kernel, host, this.hooks, (process, request) => {
      const downFor = poison?.(request)
      if (downFor === undefined) return false
      const replica = this.replicas.find((candidate) => candidate.process === process)
      if (replica !== undefined) this.crash(replica, downFor)
      return true
    })
    const parts = { kernel: this.kernel, redis: this.redis, http: this.http, hooks: this.hooks, app, overrides }
    this.replicas = replicas.map((name, index) => new Replica(name, index, parts))
    for (const watcher of options.watchers ?? []) this.watch(watcher)
    for (const replica of this.replicas) this.kernel.after(0, undefined, () => replica.start())
    for (const fault of faults) this.plan(fault)
  }

  /** Milliseconds since the world began. */
  get elapsed(): number {
    return this.kernel.millis - this.startedAt
  }

  /** The world's clock, in epoch milliseconds. */
  get now(): number {
    return this.kernel.millis
  }

  /** Equal for equal histories. */
  get hash(): string {
    return this.kernel.hash
  }

  get trace(): ReadonlyArray<TraceLine> {
    return this.kernel.trace
  }

  /** Adds a watcher. */
  watch(watcher: Watcher): void {
    const add = <A extends ReadonlyArray<unknown>>(
      hooks: Array<(...args: A) => void>,
      look: ((...args: A) => void) | undefined
    ) => {
      if (look !== undefined) hooks.push(this.kernel.outside(look))
    }
    add(this.hooks.onCommand, watcher.onCommand)
    add(this.hooks.onExecuted, watcher.onExecuted)
    add(this.hooks.onBroken, watcher.onBroken)
    add(this.hooks.onUnheard, watcher.onUnheard)
    add(this.hooks.onUnanswered, watcher.onUnanswered)
    add(this.hooks.onSent, watcher.onSent)
    add(this.hooks.onArrival, watcher.onArrival)
    add(this.hooks.onAnswer, watcher.onAnswer)
    add(this.hooks.onEnd, watcher.onEnd)
    add(this.hooks.onStart, watcher.onStart)
    add(this.hooks.onGone, watcher.onGone)
    add(this.hooks.onFault, watcher.onFault)
  }

  /** Lets time pass; a condition may end it before. Throws where a replica's app could never be built, and says why. */
  run(duration: Duration.Input, until?: () => boolean): boolean {
    const ended = this.kernel.run(this.kernel.microseconds + Duration.toMillis(duration) * 1_000, until)
    const unbuilt = this.replicas.find(({ buildProblem }) => buildProblem !== undefined)
    if (unbuilt !== undefined) throw new Error(`The app of ${unbuilt.name} was never built: ${unbuilt.buildProblem}`)
    return ended
  }

  /** Something to do at a time, in milliseconds after the world's start. */
  at(millis: number, run: () => void): void {
    this.kernel.at((this.startedAt + millis) * 1_000, undefined, run)
  }

  /** Adds an entry to a stream, as a producer outside would: its id, or undefined where Redis is away or refuses. */
  add(stream: string, fields: Readonly<Record<string, string>>): string | undefined {
    if (!this.redis.isUp) return undefined
    const id = this.redis.command("XADD", stream, "*", ...Object.entries(fields).flat())
    return typeof id === "string" ? id : undefined
  }

  /** The entries of a stream, oldest first. */
  entries(stream: string): ReadonlyArray<{ readonly id: string; readonly fields: Readonly<Record<string, string>> }> {
    const found = this.redis.look("XRANGE", stream, "-", "+")
    return (Array.isArray(found) ? found : []).map(([id, flat]: [string, ReadonlyArray<string>]) => ({
      id,
      fields: Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ""]] : [])))
    }))
  }

  /** How many entries of a stream a group has been given and not acknowledged. */
  pending(stream: string, group = "job-collector-group"): number {
    const found = this.redis.look("XPENDING", stream, group)
    return Array.isArray(found) ? Number(found[0]) : 0
  }

  replica(name: string): Replica {
    const found = this.replicas.find((candidate) => candidate.name === name)
    if (found === undefined) throw new Error(`There is no replica ${name}`)
    return found
  }

  /** Runs a program in a process of its own, with its own ways to Redis; `onExit` is told unless it is killed. */
  launch<A, E>(
    name: string,
    program: Effect.Effect<A, E, Redis>,
    onExit: (exit: Exit.Exit<A, E>) => void = () => {}
  ): LaunchedProcess<A, E> {
    this.launches += 1
    return new LaunchedProcess(this, name, this.launches, program, onExit)
  }

  /** Kills a replica's process and starts it again after so many milliseconds. */
  crash(replica: Replica, downFor: number): void {
    replica.kill()
    this.kernel.after(downFor * 1_000, undefined, () => replica.start())
  }

  private plan(fault: Fault | OwnFault): void {
    const tell = (phase: "begins" | "ends") => {
      this.kernel.note("fault", phase, describe(fault))
      for (const look of this.hooks.onFault) look(fault, phase)
    }
    if (fault.kind === "own") {
      this.at(fault.at, () => {
        fault.apply(this)
        tell("begins")
        tell("ends")
      })
      return
    }
    if (fault.kind === "failover") {
      this.at(Math.max(0, fault.at - fault.loses), () => {
        const restore = this.redis.snapshot()
        this.at(fault.at, () => {
          this.disturbances.begin(fault)
          restore()
          tell("begins")
        })
      })
    } else {
      this.at(fault.at, () => {
        this.disturbances.begin(fault)
        tell("begins")
      })
    }
    this.at(endOf(fault), () => {
      this.disturbances.end(fault)
      tell("ends")
    })
  }
}
