import { Clock, Effect } from "effect"
import { ChangeSignal } from "./changeSignal.ts"
import { LogThrottle } from "./logThrottle.ts"

/** What this process knows of its connection to Redis, from the outcome of its own commands. */
export class RedisAvailability {
  readonly changed = new ChangeSignal()
  readonly logThrottle = new LogThrottle()
  private state: "unknown" | "up" | "down" = "unknown"
  private recoveredAt: number | undefined
  private downSince: number | undefined

  get up(): boolean {
    return this.state === "up"
  }

  /** When Redis came back after it was away, in epoch milliseconds; undefined where it never was. */
  get upAgainSince(): number | undefined {
    return this.recoveredAt
  }

  readonly succeeded: Effect.Effect<void> = Effect.suspend(() =>
    this.state === "up"
      ? Effect.void
      : Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const since = this.downSince
          if (since !== undefined) this.recoveredAt = now
          this.downSince = undefined
          this.state = "up"
          this.changed.notify()
          return since === undefined || this.logThrottle.ongoing("recovery", now) === 0
            ? Effect.void
            : Effect.annotateLogs(Effect.logInfo("redis.recovered"), { away_seconds: (now - since) / 1_000 })
        })
  )

  readonly failed: Effect.Effect<void> = Effect.suspend(() =>
    this.state === "down"
      ? Effect.void
      : Effect.map(Clock.currentTimeMillis, (now) => {
          this.state = "down"
          this.downSince = now
          this.changed.notify()
        })
  )
}
