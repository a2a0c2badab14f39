import { Effect } from "effect"
import type { Liveness } from "../../domain/options/health.ts"

/** A loop that does not rest shows itself within 35 seconds, waits on a Redis that does not answer included. */
const patienceMs = 120_000

/** The signs of life of one loop. */
export interface Pulse {
  readonly beat: Effect.Effect<void>
  /** As `beat`, before a request to the API: it may take as long as `API_TIMEOUT` lets it. */
  readonly asking: Effect.Effect<void>
  readonly rest: Effect.Effect<void>
}

interface Sign {
  /** Epoch milliseconds. */
  readonly at: number
  /** When the next one is overdue. */
  readonly until: number
}

const resting: Sign = { at: 0, until: Number.POSITIVE_INFINITY }

/** The loops' signs of life. */
export class Heartbeats {
  /** Of one that waits for something from outside nothing is overdue. Never deleted from: a Map is slow to forget. */
  private readonly seen = new Map<string, Sign>()

  /** `stepMs`: how long the loop may take until the next one; it counts where it is more than usual. */
  readonly beat = (loop: string, stepMs = 0): Effect.Effect<void> =>
    Effect.clockWith((clock) => {
      const at = clock.currentTimeMillisUnsafe()
      this.seen.set(loop, { at, until: at + Math.max(patienceMs, 2 * stepMs) })
      return Effect.void
    })

  /** From here on a loop waits for as long as it takes (for a permit, for the circuit): no sign of life is expected. */
  readonly rest = (loop: string): Effect.Effect<void> => Effect.sync(() => void this.seen.set(loop, resting))

  /** Between two runs only the loops that outlive them are expected to live. */
  clear(outliving: ReadonlyArray<string>): void {
    for (const loop of this.seen.keys()) if (!outliving.includes(loop)) this.seen.set(loop, resting)
  }

  liveness(now: number): Liveness {
    const silent = [...this.seen].filter(([, { until }]) => now > until)
    return {
      live: silent.length === 0,
      silent: silent.map(([loop, { at }]) => ({ loop, seconds: Math.floor((now - at) / 1_000) }))
    }
  }
}
