/** The marks added up over many worlds. */
import { markAll } from "./marked.ts"
import { isRarer, listedMarks, reasonFor } from "./unreached.ts"

export class MarkTally {
  readonly names = markAll().names
  private readonly counts = new Float64Array(this.names.length)
  /** In how many worlds each was reached. */
  private readonly worlds = new Float64Array(this.names.length)

  /** Adds a world's: how many marks it is the first to reach. */
  add(marks: ReadonlyArray<number>): number {
    let fresh = 0
    for (const [index, count] of marks.entries()) {
      if (index >= this.names.length || count === 0) continue
      if (this.worlds[index] === 0) fresh += 1
      this.counts[index] = (this.counts[index] ?? 0) + count
      this.worlds[index] = (this.worlds[index] ?? 0) + 1
    }
    return fresh
  }

  /** In how many worlds a mark was reached. */
  worldsOf(index: number): number {
    return this.worlds[index] ?? 0
  }

  get reached(): number {
    return this.worlds.filter((worlds) => worlds > 0).length
  }

  /** Never reached, though nothing says why not. */
  get missing(): ReadonlyArray<string> {
    return this.names.filter((name, index) => this.worldsOf(index) === 0 && reasonFor(name) === undefined)
  }

  /** Of those, what the seeds of the test command are to reach. */
  get missingInTest(): ReadonlyArray<string> {
    return this.missing.filter((name) => !isRarer(name))
  }

  /** Listed, though there is no such mark any more. */
  get stale(): ReadonlyArray<string> {
    const known = new Set(this.names)
    return listedMarks().filter((name) => !known.has(name))
  }

  /** Reached, though something says that no world gets there. */
  get mistaken(): ReadonlyArray<string> {
    return this.names.filter((name, index) => this.worldsOf(index) > 0 && reasonFor(name) !== undefined)
  }

  /** One line for each: times, worlds, and the name. */
  get lines(): ReadonlyArray<string> {
    return this.names.map((name, index) => {
      const reason = this.worldsOf(index) === 0 ? reasonFor(name) : undefined
      const counts = `${String(this.counts[index]).padStart(12)} ${String(this.worlds[index]).padStart(7)}`
      return `${counts}  ${name}${reason === undefined ? "" : `  (${reason})`}`
    })
  }

  get summary(): string {
    const { length } = this.names
    const known = length - this.reached - this.missing.length
    return `${this.reached} of ${length} marks reached, ${this.missing.length} not, ${known} that no world gets to`
  }
}
