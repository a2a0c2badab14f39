/** How long things take, counted in buckets each of which ends some 15 % above the one before: enough to tell a p95. */

const growth = Math.log(1.15)
/** The last one holds all that took ten minutes or longer. */
const buckets = 1 + Math.ceil(Math.log(600_000) / growth)

export class Durations {
  private readonly counts = new Uint32Array(buckets)
  private total = 0

  add(ms: number): void {
    const at = ms < 1 ? 0 : Math.min(buckets - 1, 1 + Math.floor(Math.log(ms) / growth))
    this.counts[at] = (this.counts[at] ?? 0) + 1
    this.total += 1
  }

  /** What so great a share of all took at most, in milliseconds, to within 8 %; undefined where nothing was counted. */
  static quantile(share: number, ...all: ReadonlyArray<Durations>): number | undefined {
    const total = all.reduce((sum, durations) => sum + durations.total, 0)
    if (total === 0) return undefined
    let left = share * total
    for (let at = 0; at < buckets; at++) {
      for (const { counts } of all) left -= counts[at] ?? 0
      if (left <= 0) return at === 0 ? 1 : Math.exp((at - 0.5) * growth)
    }
    return Math.exp(buckets * growth)
  }
}
