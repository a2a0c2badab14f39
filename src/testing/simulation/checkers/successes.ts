/** When each process last saw an event succeed: while others do, what one partition meets with is its own affair. */
import type { Process } from "../../world/process.ts"
import type { Scenario } from "../scenario.ts"

/** For so long a success is evidence that others succeed, in milliseconds, and a second on its way. */
const evidenceMs = 61_000

export class Successes {
  private readonly isolates: boolean
  private readonly lastAt = new WeakMap<Process, number>()

  constructor({ settings }: Scenario) {
    this.isolates = settings.isolateBy.length > 0
  }

  note(process: Process, elapsed: number): void {
    if (this.isolates) this.lastAt.set(process, elapsed)
  }

  /** Whether whatever goes wrong now is everybody's for certain. */
  none(process: Process, elapsed: number): boolean {
    return elapsed - (this.lastAt.get(process) ?? Number.NEGATIVE_INFINITY) > evidenceMs
  }
}
