/** A program that runs beside the replicas, does what it is for and ends: an operator's command, say. */
import { Effect, type Exit, type Fiber } from "effect"
import { Redis } from "../../services/Redis.ts"
import type { Kernel } from "./kernel.ts"
import { Process } from "./process.ts"
import type { RedisNetwork } from "./redis.ts"
import type { Overrides } from "./replica.ts"

export interface LaunchParts {
  readonly kernel: Kernel
  readonly redis: RedisNetwork
  readonly overrides: ((process: Process) => Overrides) | undefined
}

/** A running program beside the replicas: it can be interrupted, killed or paused, and keeps its exit. */
export class LaunchedProcess<A, E> {
  readonly process: Process
  private readonly kernel: Kernel
  private readonly fiber: Fiber.Fiber<A, E>

  /** `onExit` is told how it ended, unless it was killed. */
  constructor(
    { overrides, kernel, redis }: LaunchParts,
    name: string,
    serial: number,
    program: Effect.Effect<A, E, Redis>,
    onExit: (exit: Exit.Exit<A, E>) => void
  ) {
    this.kernel = kernel
    this.process = new Process(kernel, name, kernel.chance.fork(`${name} launched ${serial}`))
    const override = overrides?.(this.process).redis ?? ((service: Redis["Service"]) => service)
    kernel.note(name, "starts")
    this.fiber = this.process.fork(
      redis.service(this.process).pipe(
        Effect.flatMap((service) => Effect.provideService(program, Redis, override(service))),
        Effect.scoped
      )
    )
    const tell = kernel.outside(onExit)
    this.fiber.addObserver((exit) => {
      if (!this.process.alive) return
      this.kill()
      tell(exit)
    })
  }

  /** SIGKILL. */
  kill(): void {
    if (!this.process.alive) return
    this.process.kill()
    this.kernel.note(this.process.name, "is gone")
  }

  /** SIGINT: it ends in its own way. */
  interrupt(): void {
    if (this.process.alive) this.fiber.interruptUnsafe()
  }
}
