import type { Liveness } from "../../domain/options/health.ts"

/** A loop that does not rest shows itself within 35 seconds, waits on a Redis that does not answer included. */
const patienceMs = 120_000

/** The signs of life of one loop. */
export interface Pulse {
  /** Lives at `now`. `stepMs`: how long it may take until the next sign; it counts where it is more than usual. */
  readonly beat: (now: number, stepMs: number) => void
  /** Waits from here on for as long as it takes: no sign of life is expected. */
  readonly rest: () => void
}

interface Sign {
  /** By the monotonic clock, in milliseconds. */
  readonly at: number
  /** When the next one is overdue. */
  readonly until: number
}

const resting: Sign = { at: 0, until: Number.POSITIVE_INFINITY }

/** The loops' signs of life. */
export class Heartbeats {
  /** Of one that waits for something from outside nothing is overdue. Never deleted from: a Map is slow to forget. */
  private readonly seen = new Map<string, Sign>()

  pulse(loop: string): Pulse {
    return {
      beat: (at, stepMs) => void this.seen.set(loop, { at, until: at + Math.max(patienceMs, 2 * stepMs) }),
      rest: () => void this.seen.set(loop, resting)
    }
  }

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
