import { Effect } from "effect"

interface Waiter {
  readonly least: number
  readonly most: number
  granted: number
  wake: () => void
}

/**
 * Delivery permits, handed out first come, first served: no stream can starve another, nor the retries that are due.
 * Only who needs several at once goes before the others, or idle readers would make it wait for each of their reads.
 * (Effect's semaphore takes an exact number; a reader wants whatever is free, at least one.)
 */
export class Permits {
  readonly total: number
  private available: number
  private readonly queue: Array<Waiter> = []

  constructor(total: number) {
    this.total = total
    this.available = total
  }

  get inUse(): number {
    return this.total - this.available
  }

  /** Takes up to `most` where nobody waits for any: how many it took, 0 for none. */
  tryTake(most: number): number {
    return this.queue.length === 0 ? this.grab(most) : 0
  }

  /** Waits for its turn and at least `least` free permits, then takes up to `most`: how many it took. */
  take(most: number, least = 1): Effect.Effect<number> {
    return Effect.suspend(() => {
      if (this.queue.length === 0 && this.available >= least) return Effect.succeed(this.grab(most))
      const waiter: Waiter = { least, most, granted: 0, wake: () => {} }
      return Effect.callback<number>((resume) => {
        waiter.wake = () => resume(Effect.sync(() => waiter.granted))
        if (least > 1) this.queue.unshift(waiter)
        else this.queue.push(waiter)
        this.serve()
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => this.forget(waiter))))
    })
  }

  release(count: number): void {
    this.available += count
    this.serve()
  }

  private grab(most: number): number {
    const taken = Math.min(most, this.available)
    this.available -= taken
    return taken
  }

  private serve(): void {
    for (let first = this.queue[0]; first !== undefined && this.available >= first.least; first = this.queue[0]) {
      this.queue.shift()
      first.granted = this.grab(first.most)
      first.wake()
    }
  }

  private forget(waiter: Waiter): void {
    const at = this.queue.indexOf(waiter)
    if (at >= 0) this.queue.splice(at, 1)
    this.release(waiter.granted)
  }
}
