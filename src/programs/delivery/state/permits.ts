import { Effect } from "effect"
import type { Ramp } from "./ramp.ts"

interface Waiter {
  readonly most: number
  /** Whether it needs every permit there is. */
  readonly alone: boolean
  granted: number
  wake: () => void
}

/**
 * Delivery permits, handed out first come, first served: no stream can starve another, nor the retries that are due.
 * Only who needs all of them goes before the others, or idle readers would make it wait for each of their reads.
 * (Effect's semaphore takes an exact number; a reader wants whatever is free, at least one.)
 */
export class Permits {
  readonly total: number
  private readonly ramp: Ramp
  private used = 0
  private readonly queue: Array<Waiter> = []

  constructor(total: number, ramp: Ramp) {
    this.total = total
    this.ramp = ramp
  }

  get inUse(): number {
    return this.used
  }

  /** How many may be in use at present. */
  get most(): number {
    return Math.min(this.total, this.ramp.most)
  }

  /** Takes up to `most` where nobody waits for any: how many it took, 0 for none. */
  tryTake(most: number): number {
    return this.queue.length === 0 ? this.grab(most, false) : 0
  }

  /** Waits for its turn and a free permit, then takes up to `most`: how many it took. */
  take(most: number): Effect.Effect<number> {
    return this.wait(most, false)
  }

  /**
   * Waits until none is in use, then takes every one: who works alone does so whatever the ramp allows, since it makes no
   * more than one request.
   */
  readonly takeAll: Effect.Effect<number> = Effect.suspend(() => this.wait(this.total, true))

  release(count: number): void {
    this.used -= count
    this.serve()
  }

  /** Hands out what is free to those who wait: to be called where more may be in use than before. */
  serve(): void {
    for (let first = this.queue[0]; first !== undefined; first = this.queue[0]) {
      first.granted = this.grab(first.most, first.alone)
      if (first.granted === 0) return
      this.queue.shift()
      first.wake()
    }
  }

  private wait(most: number, alone: boolean): Effect.Effect<number> {
    return Effect.suspend(() => {
      const granted = this.queue.length === 0 ? this.grab(most, alone) : 0
      if (granted > 0) return Effect.succeed(granted)
      const waiter: Waiter = { most, alone, granted: 0, wake: () => {} }
      return Effect.callback<number>((resume) => {
        waiter.wake = () => resume(Effect.sync(() => waiter.granted))
        if (alone) this.queue.unshift(waiter)
        else this.queue.push(waiter)
        this.serve()
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => this.forget(waiter))))
    })
  }

  private grab(most: number, alone: boolean): number {
    const free = alone ? (this.used === 0 ? this.total : 0) : Math.max(0, this.most - this.used)
    const taken = Math.min(most, free)
    this.used += taken
    return taken
  }

  private forget(waiter: Waiter): void {
    const at = this.queue.indexOf(waiter)
    if (at >= 0) this.queue.splice(at, 1)
    this.release(waiter.granted)
  }
}
