import { Clock, Effect } from "effect"
import { Signal } from "./signal.ts"

/** What this process knows of its connection to Redis, from the outcome of its own commands. */
export class Link {
  readonly changed = new Signal()
  private state: "unknown" | "up" | "down" = "unknown"
  private recoveredAt: number | undefined

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
      : Effect.map(Clock.currentTimeMillis, (now) => {
          if (this.state === "down") this.recoveredAt = now
          this.state = "up"
          this.changed.notify()
        })
  )

  readonly failed: Effect.Effect<void> = Effect.sync(() => {
    if (this.state === "down") return
    this.state = "down"
    this.changed.notify()
  })
}
