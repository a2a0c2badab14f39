import { Clock, Effect } from "effect"

/**
 * A change that several fibers may wait for. Who waits names the version it has seen, so that a change between looking
 * and waiting is never missed.
 */
export class Signal {
  private count = 0
  private waiting = new Set<() => void>()

  get version(): number {
    return this.count
  }

  notify(): void {
    this.count += 1
    const woken = this.waiting
    this.waiting = new Set()
    for (const wake of woken) wake()
  }

  /** Waits for a change after the version given; not at all where there was one already. */
  after(version: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const wake = () => resume(Effect.void)
      if (this.count !== version) return wake()
      this.waiting.add(wake)
      return Effect.sync(() => this.waiting.delete(wake))
    })
  }
}

/** What a fiber has seen of some signals: taken before it looks at what they stand for. */
export class Watch {
  private readonly seen: ReadonlyArray<readonly [Signal, number]>

  constructor(...signals: ReadonlyArray<Signal>) {
    this.seen = signals.map((signal) => [signal, signal.version])
  }

  /** Waits for the first change since, or until a time in epoch milliseconds where given. */
  wait(until?: number): Effect.Effect<void> {
    const changes = this.seen.map(([signal, version]) => signal.after(version))
    const changed = changes.length === 1 && changes[0] !== undefined ? changes[0] : Effect.raceAllFirst(changes)
    if (until === undefined) return changed
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      until <= now ? Effect.void : Effect.timeoutOrElse(changed, { duration: until - now, orElse: () => Effect.void })
    )
  }
}
