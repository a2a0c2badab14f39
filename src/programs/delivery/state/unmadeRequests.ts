import type { ChangeSignal } from "../../redis/changeSignal.ts"

/** So many events in a row may have no request before their kind is to blame, and not they. */
const few = 3
/** How long a paused kind waits before it is tried with another event, in milliseconds. */
const probeEveryMs = 10_000

interface Trouble {
  /** The events in a row of which no request could be made, as far as they need to be told apart. */
  readonly events: Set<string>
  problem: string
  /** Until when its events wait; undefined while it is not paused. */
  until: number | undefined
}

/** A kind that is paused. */
export interface PausedKind {
  readonly kind: string
  readonly problem: string
  readonly until: number
}

/**
 * The kinds of whose events no requests can be made: after a few in a row a kind's events wait instead of being abandoned, and
 * one at a time is tried. Times are the monotonic clock's.
 */
export class UnmadeRequests {
  private readonly changed: ChangeSignal
  private readonly troubles = new Map<string, Trouble>()

  constructor(changed: ChangeSignal) {
    this.changed = changed
  }

  /** A request was made: true where that ends its kind's pause. Nearly always no kind is in trouble. */
  made(kind: string): boolean {
    const known = this.troubles.size === 0 ? undefined : this.troubles.get(kind)
    if (known === undefined) return false
    this.troubles.delete(kind)
    if (known.until === undefined) return false
    this.changed.notify()
    return true
  }

  /** No request could be made of an event: `began` where that pauses its kind, `goes on` where that is paused. */
  unmade(kind: string, event: string, problem: string, now: number): "few" | "began" | "goes on" {
    const known = this.troubles.get(kind) ?? { events: new Set(), problem, until: undefined }
    this.troubles.set(kind, known)
    known.problem = problem
    if (known.until !== undefined) return "goes on"
    known.events.add(event)
    if (known.events.size <= few) return "few"
    known.until = now + probeEveryMs
    this.changed.notify()
    return "began"
  }

  /** Until when a kind's events wait; undefined where it is not paused. */
  pauseEnds(kind: string): number | undefined {
    return this.troubles.size === 0 ? undefined : this.troubles.get(kind)?.until
  }

  /** Whether an event may be tried: of a paused kind, one each time that its pause has ended. */
  mayTry(kind: string, now: number): boolean {
    const known = this.troubles.size === 0 ? undefined : this.troubles.get(kind)
    if (known?.until === undefined) return true
    if (now < known.until) return false
    known.until = now + probeEveryMs
    return true
  }

  get paused(): ReadonlyArray<PausedKind> {
    return [...this.troubles].flatMap(([kind, { problem, until }]) =>
      until === undefined ? [] : [{ kind, problem, until }]
    )
  }
}
