/** What was seen shortly before: what comes in is the difference of two looks, and a page that is loaded is one look. */
import type { Glance } from "../programs/operator/glance.ts"

/** Looks nearer to each other give no rate. */
const apartMs = 900
/** A rate is that of so long, where there is a look as old. */
const rateOverMs = 5_000
/** A look that is older says nothing of now. */
const keptMs = 300_000

export class RecentGlances {
  private glances: ReadonlyArray<Glance> = []

  /** The look that a look at this time is compared with. */
  before(now: number): Glance | undefined {
    const fresh = this.glances.filter(({ at }) => at > now - keptMs)
    return fresh.findLast(({ at }) => at <= now - rateOverMs) ?? fresh.find(({ at }) => at <= now - apartMs)
  }

  note(glance: Glance): void {
    const last = this.glances.at(-1)
    if (last !== undefined && glance.at < last.at + apartMs) return
    this.glances = [...this.glances.filter(({ at }) => at > glance.at - keptMs), glance].slice(-20)
  }
}
