import { Effect } from "effect"
import { ChangeSignal } from "../../redis/changeSignal.ts"
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
 *
 * Where deliveries are limited to a rate each permit needs a token as well, which is spent with the request.
 */
export class Permits {
  readonly total: number
  /** Somebody would have a permit, and there is no token left. */
  readonly starved = new ChangeSignal()
  private readonly ramp: Pick<Ramp, "most">
  private used = 0
  /** How many requests may be made, and how many tokens come at a time: infinite without a rate. */
  private tokens = Number.POSITIVE_INFINITY
  private batch = Number.POSITIVE_INFINITY
  private readonly queue: Array<Waiter> = []

  constructor(total: number, ramp: Pick<Ramp, "most">) {
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

  /** How many may be taken at a time. */
  get mostAtOnce(): number {
    return Math.min(this.most, this.batch)
  }

  /** Whether somebody waits for a token and for nothing else. */
  get isStarving(): boolean {
    const first = this.queue[0]
    return first !== undefined && this.tokens < 1 && this.free(first.alone) > 0
  }

  /** Needs tokens from now on, that come so many at a time; undefined: none any more. */
  limit(batch = Number.POSITIVE_INFINITY): void {
    if (batch === this.batch) return
    this.batch = batch
    this.tokens = batch === Number.POSITIVE_INFINITY ? batch : 0
    this.serve()
  }

  /** Tokens that came in, or whose permits made no request. No more are kept than come in two batches. */
  addTokens(count: number): void {
    this.tokens = Math.min(2 * this.batch, this.tokens + count)
    this.serve()
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

  /** Gives permits back, and the tokens of those that made no request. */
  release(count: number, unspent = 0): void {
    this.used -= count
    this.addTokens(unspent)
  }

  /** Hands out what is free to those who wait: to be called where more may be in use than before. */
  serve(): void {
    for (let first = this.queue[0]; first !== undefined; first = this.queue[0]) {
      first.granted = this.grab(first.most, first.alone)
      if (first.granted === 0) {
        if (this.tokens < 1) this.starved.notify()
        return
      }
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
    if (this.tokens < 1) return 0
    const free = this.free(alone)
    // Who works alone makes one request with all its permits.
    const taken = alone ? free : Math.min(most, free, this.tokens)
    this.used += taken
    this.tokens -= alone ? Math.min(1, taken) : taken
    return taken
  }

  private free(alone: boolean): number {
    if (alone) return this.used === 0 ? this.total : 0
    return Math.max(0, this.most - this.used)
  }

  private forget(waiter: Waiter): void {
    const at = this.queue.indexOf(waiter)
    if (at >= 0) this.queue.splice(at, 1)
    this.release(waiter.granted, waiter.alone ? Math.min(1, waiter.granted) : waiter.granted)
  }
}
