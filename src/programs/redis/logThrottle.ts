/** Said so far of one thing. */
interface Said {
  since: number
  at: number
  seenAt: number
  /** How often it happened since it was last said. */
  unsaid: number
  /** Pauses made so far, or lines written in the present minute. */
  lines: number
}

const pausesMs = [10_000, 60_000, 300_000]
/** What was not seen for so long is something new when it comes again. */
const forgottenAfterMs = 60_000
const minuteMs = 60_000
/** So many things are remembered at a time; of more, what was said first is forgotten and may be said again. */
const mostRemembered = 1_000

/** Keeps what happens again and again from flooding the log. Times by the monotonic clock. */
export class LogThrottle {
  private readonly said = new Map<string, Said>()

  /**
   * For something that goes on (an outage): yes at first, again after 10 seconds, a minute, then every 5 minutes. How
   * often it happened since the last yes, this time included; 0 for no.
   */
  ongoing(what: string, now: number): number {
    const known = this.said.get(what)
    if (known === undefined || now >= known.seenAt + forgottenAfterMs) {
      this.remember(what, { since: now, at: now, seenAt: now, unsaid: 0, lines: 0 })
      return 1
    }
    known.seenAt = now
    known.unsaid += 1
    const pause = pausesMs[Math.min(known.lines, pausesMs.length - 1)] ?? 0
    if (now < known.at + pause) return 0
    const times = known.unsaid
    known.at = now
    known.lines += 1
    known.unsaid = 0
    return times
  }

  /** For many of a kind (one line an entry): the first `most` of each minute; then how many were left out before. */
  repeated(what: string, most: number, now: number): { readonly leftOut: number } | undefined {
    const known = this.said.get(what)
    if (known === undefined || now >= known.since + minuteMs) {
      const leftOut = known?.unsaid ?? 0
      this.remember(what, { since: now, at: now, seenAt: now, unsaid: 0, lines: 1 })
      return { leftOut }
    }
    if (known.lines < most) {
      known.lines += 1
      return { leftOut: 0 }
    }
    known.unsaid += 1
    return undefined
  }

  private remember(what: string, said: Said): void {
    this.said.delete(what)
    this.said.set(what, said)
    if (this.said.size <= mostRemembered) return
    for (const first of this.said.keys()) {
      this.said.delete(first)
      return
    }
  }
}
