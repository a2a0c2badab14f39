/** A replica of the app: one process after another under one name, and the disk that outlives them. */
import { Cause, Context, Effect, Exit, type Fiber, type FileSystem, Layer, Logger, type Option } from "effect"
import { FileSystem as FileSystemKey } from "effect/FileSystem"
import { HttpClient } from "effect/http"
import { JobCollector } from "../../JobCollector.ts"
import { CollectorInspection, type LookAtRun } from "../../programs/inspection.ts"
import { Redis } from "../../services/Redis.ts"
import type { Signer } from "../../services/Signer.ts"
import { make as makeFileSystem } from "../MemoryFileSystem.ts"
import { type CrashKind, SimulatedDisk } from "../SimulatedDisk.ts"
import * as SimulatedSigner from "../SimulatedSigner.ts"
import type { Hooks } from "./hooks.ts"
import type { HttpNetwork } from "./http.ts"
import type { Kernel } from "./kernel.ts"
import { Process } from "./process.ts"
import type { RedisNetwork } from "./redis.ts"
import { slowFileSystem } from "./slowFileSystem.ts"

/** What a world gives an app. */
export type Given = Redis | HttpClient.HttpClient | Signer | FileSystem.FileSystem

/** Looks on at processes as they come and go. */
export interface ProcessWatcher {
  readonly onStart?: (replica: Replica, process: Process) => void
  /** Killed, stopped, or ended by itself: with a failure in the last case. */
  readonly onGone?: (replica: Replica, process: Process, problem: string | undefined) => void
}

/** What differs from the usual for a replica's process: a deliberately wrong driver, say. */
export interface Overrides {
  readonly redis?: (redis: Redis["Service"]) => Redis["Service"]
  readonly http?: (http: HttpClient.HttpClient) => HttpClient.HttpClient
  readonly files?: (files: FileSystem.FileSystem) => FileSystem.FileSystem
}

export interface ReplicaParts {
  readonly kernel: Kernel
  readonly redis: RedisNetwork
  readonly http: HttpNetwork
  readonly hooks: Hooks<ProcessWatcher>
  readonly app: (replica: Replica) => Layer.Layer<never, unknown, Given>
  readonly overrides: ((process: Process) => Overrides) | undefined
}

/** A process that ends by itself is started again after so many microseconds, as a supervisor would. */
const restartAfter = 1_000_000

/** One replica of the app: a process that is started again when it ends, with a disk that outlives it. */
export class Replica {
  readonly name: string
  readonly index: number
  readonly disk = new SimulatedDisk()
  /** What it is to call itself from its next start on: its name, until a `stop` renames it. */
  alias: string
  private readonly parts: ReplicaParts
  private serial = 0
  private current: Process | undefined
  private main: Fiber.Fiber<unknown, unknown> | undefined
  private built: Context.Context<never> | undefined
  private look: LookAtRun = () => undefined
  private skewNow = 0
  private problem: string | undefined = undefined
  private isStopping = false
  private hasBeenBuilt = false

  constructor(name: string, index: number, parts: ReplicaParts) {
    this.name = name
    this.alias = name
    this.index = index
    this.parts = parts
  }

  /** The running process; undefined while there is none. */
  get process(): Process | undefined {
    return this.current
  }

  /** How often it was started. */
  get starts(): number {
    return this.serial
  }

  /** Why its app could not be built, where it never was. */
  get buildProblem(): string | undefined {
    return this.problem
  }

  /** A service of the app that runs now. */
  service<I, S>(key: Context.Key<I, S>): Option.Option<S> {
    return Context.getOption(this.built ?? Context.empty(), key)
  }

  /** The running collector, where the app has one. */
  get collector(): JobCollector["Service"] | undefined {
    const found = this.service(JobCollector)
    return found._tag === "Some" ? found.value : undefined
  }

  /** What its collector is at, for the checkers; undefined where it has none, or waits for Redis or a name. */
  get run(): ReturnType<LookAtRun> {
    return this.look()
  }

  private given(process: Process): Layer.Layer<Given> {
    const { overrides, http, redis } = this.parts
    const overridden = overrides?.(process)
    const overrideRedis = overridden?.redis ?? ((service: Redis["Service"]) => service)
    const overrideHttp = overridden?.http ?? ((client: HttpClient.HttpClient) => client)
    const overrideFiles = overridden?.files ?? ((files: FileSystem.FileSystem) => files)
    return Layer.mergeAll(
      Layer.effect(Redis, Effect.map(redis.service(process), overrideRedis)),
      Layer.succeed(HttpClient.HttpClient, overrideHttp(http.service(process))),
      Layer.succeed(FileSystemKey, overrideFiles(slowFileSystem(makeFileSystem(this.disk), process))),
      SimulatedSigner.layer,
      Layer.succeed(CollectorInspection, (look) => {
        this.look = look
      })
    )
  }

  /** What the process writes to its log becomes part of the trace. */
  private logger(): Logger.Logger<unknown, void> {
    return Logger.map(Logger.formatLogFmt, (line) => {
      this.parts.kernel.remark(this.name, "log", line)
    })
  }

  start(): void {
    if (this.current !== undefined) return
    const { app, hooks, kernel } = this.parts
    this.serial += 1
    const process = new Process(kernel, this.name, kernel.chance.fork(`${this.name}#${this.serial}`))
    process.skew = this.skewNow
    this.current = process
    kernel.note(this.name, "starts")
    for (const look of hooks.onStart) look(this, process)
    const running = Effect.gen({ self: this }, function* () {
      const building = Layer.build(app(this).pipe(Layer.provide(this.given(process))))
      const context = yield* Effect.tapCause(building, (cause) => Effect.sync(() => this.noteUnbuilt(cause)))
      this.hasBeenBuilt = true
      this.problem = undefined
      this.built = context as Context.Context<never>
      const { collector } = this
      return yield* collector === undefined ? Effect.never : collector.join
    }).pipe(Effect.scoped)
    const logged = kernel.traced ? Effect.provide(running, Logger.layer([this.logger()])) : running
    this.main = process.fork(logged)
    this.main.addObserver((exit) => this.ended(process, exit))
  }

  private noteUnbuilt(cause: Cause.Cause<unknown>): void {
    if (!this.hasBeenBuilt && !Cause.hasInterruptsOnly(cause)) this.problem = Cause.pretty(cause)
  }

  private ended(process: Process, exit: Exit.Exit<unknown, unknown>): void {
    if (!process.alive) return
    const byItself = Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
    this.gone(process, byItself ? Cause.pretty(exit.cause) : undefined)
    if (byItself) this.parts.kernel.after(restartAfter, undefined, () => this.start())
  }

  private gone(process: Process, problem: string | undefined): void {
    this.current = undefined
    this.isStopping = false
    this.main = undefined
    this.built = undefined
    this.look = () => undefined
    process.kill()
    this.parts.kernel.note(this.name, "is gone", problem ?? "")
    for (const look of this.parts.hooks.onGone) look(this, process, problem)
  }

  /** SIGKILL; a power cut as well loses what the disk had not synced. */
  kill(disk: CrashKind = "process"): void {
    const { current } = this
    if (current === undefined) return
    this.gone(current, undefined)
    this.disk.crash(disk, () => this.parts.kernel.chance.next())
  }

  /** SIGTERM: a clean stop. */
  stop(): void {
    this.isStopping = true
    this.main?.interruptUnsafe()
  }

  /** Whether it was asked to stop and has not ended yet. */
  get stopping(): boolean {
    return this.isStopping
  }

  /** Sets the wall clock off by so many milliseconds, for this process and those after it. */
  skew(by: number): void {
    this.skewNow = by
    if (this.current !== undefined) this.current.skew = by
  }
}
