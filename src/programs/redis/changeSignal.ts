import { Clock, Duration, Effect, type Fiber } from "effect"
import { monotonicMillisOf } from "./monotonic.ts"

/**
 * A change that several fibers may wait for. Who waits names the version it has seen, so that a change between looking
 * and waiting is never missed.
 */
export class ChangeSignal {
  private count = 0
  // An array: few wait at a time, and each comes and goes again and again.
  private waiting: Array<() => void> = []

  get version(): number {
    return this.count
  }

  notify(): void {
    this.count += 1
    if (this.waiting.length === 0) return
    const woken = this.waiting
    this.waiting = []
    for (const wake of woken) wake()
  }

  /** Calls a function at the next change, once; the function returned takes it back. */
  onChange(wake: () => void): () => void {
    this.waiting.push(wake)
    return () => {
      const at = this.waiting.indexOf(wake)
      if (at >= 0) this.waiting.splice(at, 1)
    }
  }
}

/** What a fiber has seen of some signals: taken before it looks at what they stand for. */
export class Waiter {
  private readonly seen: ReadonlyArray<readonly [ChangeSignal, number]>

  constructor(...signals: ReadonlyArray<ChangeSignal>) {
    this.seen = signals.map((signal) => [signal, signal.version])
  }

  private get changed(): boolean {
    return this.seen.some(([signal, version]) => signal.version !== version)
  }

  /** Waits for the first change since, or until a time of the monotonic clock where there is one. */
  wait(until = Number.POSITIVE_INFINITY): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const left = until === Number.POSITIVE_INFINITY ? until : until - monotonicMillisOf(fiber.getRef(Clock.Clock))
      if (this.changed || left <= 0) return Effect.void
      return Effect.callback<void>((resume) => {
        let timer: Fiber.Fiber<void> | undefined
        const end = () => {
          for (const leave of leaves) leave()
          timer?.interruptUnsafe()
        }
        const wake = () => {
          end()
          resume(Effect.void)
        }
        const leaves = this.seen.map(([signal]) => signal.onChange(wake))
        // Here and not around it: racing a timeout would take two fibers each time.
        if (left !== Number.POSITIVE_INFINITY) {
          const sleep = Effect.sleep(Duration.millis(left))
          timer = Effect.runForkWith(fiber.context)(Effect.andThen(sleep, Effect.sync(wake)))
        }
        return Effect.sync(end)
      })
    })
  }
}
