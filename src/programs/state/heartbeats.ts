import { Clock, Effect } from "effect"
import type { Liveness } from "../../domain/health.ts"

/** Every loop shows itself within 35 seconds, waits on a Redis that does not answer included. */
const patienceMs = 120_000

/** The loops' signs of life. */
export class Heartbeats {
  private readonly seen = new Map<string, number>()

  /** Epoch milliseconds of each loop's last sign of life; one that waits for something from outside is not listed. */
  get all(): ReadonlyMap<string, number> {
    return this.seen
  }

  readonly beat = (loop: string): Effect.Effect<void> =>
    Effect.map(Clock.currentTimeMillis, (now) => void this.seen.set(loop, now))

  /** From here on a loop waits for as long as it takes (for a permit, for the circuit): no sign of life is expected. */
  readonly rest = (loop: string): Effect.Effect<void> => Effect.sync(() => void this.seen.delete(loop))

  /** Between two runs no loop is expected to live. */
  clear(): void {
    this.seen.clear()
  }

  liveness(now: number): Liveness {
    const silent = [...this.seen].filter(([, at]) => now - at > patienceMs)
    return {
      live: silent.length === 0,
      silent: silent.map(([loop, at]) => ({ loop, seconds: Math.floor((now - at) / 1_000) }))
    }
  }
}
