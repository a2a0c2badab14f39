/**
 * In which order ready fibers run where not the first to come is the first: by ranks that are drawn, and drawn anew a few
 * times a run, after Burckhardt and others ("A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", 2010). A
 * fiber that is always behind another for a while finds more than one whose place is drawn at every turn.
 */
import type { Turn } from "./agenda.ts"
import type { Chance } from "./chance.ts"

/** How long ranks last on average, in microseconds of the world. */
const meanEpoch = 20_000_000
/** Turns at one instant after which a fiber goes to the end: it may be waiting for one behind it. */
const mostAtOnce = 50

/** One fiber's place among the others. */
export interface Rank {
  epoch: number
  value: number
}

interface Ready {
  readonly rank: Rank
  readonly turn: Turn
  readonly run: () => void
}

/** The fibers that are ready, the one of the highest rank to be taken first. */
export class Ranking {
  private readonly chance: Chance
  private readonly ready: Array<Ready> = []
  private epoch = 0
  private epochEnds = 0
  private last: Rank | undefined
  private inRow = 0
  private lowest = 0

  constructor(chance: Chance) {
    this.chance = chance
  }

  /** The rank of a fiber that is new. */
  readonly newcomer = (): Rank => ({ epoch: -1, value: 0 })

  add(rank: Rank, turn: Turn, run: () => void): void {
    if (rank.epoch !== this.epoch) {
      rank.epoch = this.epoch
      rank.value = this.chance.next()
    }
    this.ready.push({ rank, turn, run })
  }

  /** Draws all ranks anew where it is time. */
  at(micros: number): void {
    if (micros < this.epochEnds) return
    this.epochEnds = micros + this.chance.exponential(meanEpoch)
    this.epoch += 1
    this.lowest = 0
  }

  /** Takes the next one; undefined where none is ready. */
  take(): Ready | undefined {
    const { ready } = this
    let at = 0
    for (let i = 1; i < ready.length; i++) if ((ready[i]?.rank.value ?? 0) > (ready[at]?.rank.value ?? 0)) at = i
    const next = ready[at]
    if (next === undefined) return undefined
    if (at === 0) ready.shift()
    else ready.splice(at, 1)
    this.inRow = next.rank === this.last ? this.inRow + 1 : 0
    this.last = next.rank
    if (this.inRow >= mostAtOnce) {
      this.lowest -= 1
      next.rank.value = this.lowest
      this.inRow = 0
    }
    return next
  }
}
