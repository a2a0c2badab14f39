import { ChangeSignal } from "../../redis/changeSignal.ts"

/** How many requests may be in flight at first, and how long it takes until they may be twice as many, in milliseconds. */
const first = 4
const doubleEveryMs = 1_000
/** How often one ramp falls back: an API that always fails a little would hold it down for ever. */
const mostFalls = 5

/**
 * How many requests may be in flight where deliveries begin again: an API that just came back, or whose migration just
 * ended, is not met by all of them at once. All times are the monotonic clock's.
 */
export class Ramp {
  /** It began, or fell back. */
  readonly changed = new ChangeSignal()
  private readonly total: number
  private startedAt = Number.NEGATIVE_INFINITY
  private falls = 0
  private allowed: number
  private rounds = 0

  constructor(total: number) {
    this.total = total
    this.allowed = total
  }

  /** How many requests may be in flight. */
  get most(): number {
    return this.allowed
  }

  /** Which beginning or falling back was the last: a failure of a request sent before it is no news. */
  get round(): number {
    return this.rounds
  }

  /** Begins at a time, which may lie ahead. */
  begin(at: number): void {
    this.falls = 0
    this.restart(at)
  }

  /** Falls back where an outage-like failure came while it was under way; `round` is that of the request's start. */
  failed(round: number, now: number): void {
    if (this.allowed >= this.total || round !== this.rounds || this.falls >= mostFalls) return
    this.falls += 1
    this.restart(Math.max(now, this.startedAt))
  }

  /** Allows what may be in flight at `now`: when that will be more, undefined where all may be. */
  advance(now: number): number | undefined {
    if (this.allowed >= this.total) return undefined
    const doublings = Math.max(0, Math.floor((now - this.startedAt) / doubleEveryMs))
    this.allowed = Math.min(this.total, first * 2 ** doublings)
    return this.allowed >= this.total ? undefined : this.startedAt + (doublings + 1) * doubleEveryMs
  }

  private restart(at: number): void {
    this.startedAt = at
    this.allowed = Math.min(this.total, first)
    this.rounds += 1
    this.changed.notify()
  }
}
