/** The worlds of the test command: every seed that ever failed, and a few besides. */
import { failedSeeds } from "./failedSeeds.ts"
import type { Task } from "./worker.ts"

/** A minute of traffic and faults each. */
export const durationMs = 60_000

const alike = {
  durationMs,
  pace: "busy",
  variation: 0,
  operator: true,
  faults: undefined,
  bug: undefined,
  twice: false
} as const

export const reducedSeeds: ReadonlyArray<Task> = [
  ...failedSeeds(),
  ...Array.from({ length: 16 }, (_, index) => ({ ...alike, seed: index + 1 }))
]
