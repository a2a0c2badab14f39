/** How often a wrong token is taken from one address: sign-in is limited in rate (contract section 10). */

/** Tries that an address has within a minute. */
const mostTries = 10
const windowMs = 60_000
/** So many addresses are remembered; beyond, all share one count. */
const mostAddresses = 10_000

/** Counts failed sign-ins by address. */
export class FailedTries {
  private readonly byAddress = new Map<string, { count: number; since: number }>()

  /** In how many seconds an address may try again; undefined where it may now. */
  waitOf(address: string, now: number): number | undefined {
    const tries = this.byAddress.get(this.keyOf(address))
    return tries === undefined || tries.count < mostTries || now >= tries.since + windowMs
      ? undefined
      : Math.ceil((tries.since + windowMs - now) / 1_000)
  }

  note(address: string, now: number): void {
    for (const [key, { since }] of this.byAddress) {
      if (now < since + windowMs) break
      this.byAddress.delete(key)
    }
    const key = this.keyOf(address)
    const tries = this.byAddress.get(key)
    if (tries === undefined) this.byAddress.set(key, { count: 1, since: now })
    else tries.count += 1
  }

  private keyOf(address: string): string {
    return this.byAddress.has(address) || this.byAddress.size < mostAddresses ? address : "others"
  }
}
