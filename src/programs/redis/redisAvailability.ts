import { Effect } from "effect"
import { ChangeSignal } from "./changeSignal.ts"
import { LogThrottle } from "./logThrottle.ts"
import { monotonicMillis } from "./monotonic.ts"

/** Something that Redis, though it is there, refuses to do. */
export interface Refusal {
  /** What is refused, such as `move to <stream>`. */
  readonly what: string
  /** Redis's own words. */
  readonly problem: string
}

/** A refusal that did not come again for so long is over: what is refused is tried again sooner. */
const refusalLastsMs = 60_000

/** What this process knows of its connection to Redis, from the outcome of its own commands. */
export class RedisAvailability {
  readonly changed = new ChangeSignal()
  readonly logThrottle = new LogThrottle()
  private state: "unknown" | "up" | "down" = "unknown"
  private recoveredAt: number | undefined
  private downSince: number | undefined
  private readonly refused = new Map<string, { problem: string; at: number }>()

  /** Notes that Redis refuses something, or, without a problem, that it did it. */
  noteRefusal(what: string, problem: string | undefined, now: number): void {
    if (problem === undefined) this.refused.delete(what)
    else this.refused.set(what, { problem, at: now })
  }

  /** What Redis refuses at present. */
  refusals(now: number): ReadonlyArray<Refusal> {
    return [...this.refused].flatMap(([what, { at, problem }]) => (now < at + refusalLastsMs ? { what, problem } : []))
  }

  get up(): boolean {
    return this.state === "up"
  }

  /** When Redis came back after it was away, by the monotonic clock; undefined where it never was. */
  get upAgainSince(): number | undefined {
    return this.recoveredAt
  }

  readonly succeeded: Effect.Effect<void> = Effect.suspend(() =>
    this.state === "up"
      ? Effect.void
      : Effect.flatMap(monotonicMillis, (now) => {
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
      : Effect.map(monotonicMillis, (now) => {
          this.state = "down"
          this.downSince = now
          this.changed.notify()
        })
  )
}
