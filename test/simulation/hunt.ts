/** Which seed is to be run next, for as long as there is time: those that failed first, then new ones and variations of those that got somewhere. */
import { Chance } from "../../src/testing/world/chance.ts"
import { failedSeeds } from "./failedSeeds.ts"
import type { MarkTally } from "./marks/tally.ts"
import type { Result, Task } from "./worker.ts"

/** Most variations of a seed for one time that it got somewhere. */
const mostVariations = 6
/** A rare state is still new in so many worlds. */
const fewWorlds = 3

interface Favourite {
  readonly task: Task
  left: number
}

export class Hunt implements Iterator<Task> {
  private readonly chance = new Chance("hunt")
  private readonly stored = [...failedSeeds()]
  private readonly favourites: Array<Favourite> = []
  private readonly variations = new Map<number, number>()
  private readonly seen = new Map<string, number>()
  private readonly endsAt: number
  private readonly marks: MarkTally
  private readonly fresh: Task
  private seed: number

  constructor(hours: number, marks: MarkTally, first: Task) {
    this.endsAt = Date.now() + hours * 3_600_000
    this.marks = marks
    this.fresh = first
    this.seed = first.seed
  }

  next(): IteratorResult<Task> {
    if (Date.now() >= this.endsAt) return { done: true, value: undefined }
    const failed = this.stored.shift()
    if (failed !== undefined) return { done: false, value: failed }
    return { done: false, value: (this.chance.yes(0.5) ? this.variation() : undefined) ?? this.newSeed() }
  }

  /** Adds up what a world reached; its seed is a favourite where that was something new. */
  took({ marks, rare, task }: Result): void {
    let found = this.marks.add(marks)
    for (const name of Object.keys(rare)) {
      const worlds = (this.seen.get(name) ?? 0) + 1
      this.seen.set(name, worlds)
      if (worlds <= fewWorlds) found += 1
    }
    if (found > 0) this.favourites.push({ task, left: Math.min(mostVariations, 1 + found) })
  }

  private newSeed(): Task {
    this.seed += 1
    return { ...this.fresh, seed: this.seed - 1 }
  }

  private variation(): Task | undefined {
    const favourite = this.favourites.at(-1)
    if (favourite === undefined) return undefined
    favourite.left -= 1
    if (favourite.left === 0) this.favourites.pop()
    const { seed } = favourite.task
    const variation = (this.variations.get(seed) ?? 0) + 1
    this.variations.set(seed, variation)
    return { ...this.fresh, seed, variation }
  }
}
