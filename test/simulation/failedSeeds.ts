/** The store of every seed that ever failed: it is committed, and runs before all others. */
import { readFileSync, writeFileSync } from "node:fs"
import type { Pace } from "../../src/testing/simulation/scenario.ts"
import type { Result, Task } from "./worker.ts"

const file = new URL("./failed-seeds.json", import.meta.url)

interface FailedSeed {
  readonly seed: number
  readonly durationMs: number
  readonly operator: boolean
  /** `busy` where not given. */
  readonly pace?: Pace
  /** The seed itself where not given. */
  readonly variation?: number
  /** The rule that it broke first. */
  readonly broke: string
}

const stored = (): ReadonlyArray<FailedSeed> => JSON.parse(readFileSync(file, "utf8"))

const taskOf = ({ durationMs, operator, pace = "busy", seed, variation = 0 }: FailedSeed): Task => ({
  seed,
  durationMs,
  pace,
  variation,
  operator,
  faults: undefined,
  bug: undefined,
  twice: false
})

export const failedSeeds = (): ReadonlyArray<Task> => stored().map(taskOf)

/** Keeps a seed that failed; not one that fails for a deliberate bug, or with some of its faults alone. */
export const keepFailed = ({ task, violations: [first] }: Result): void => {
  const { bug, durationMs, faults, operator, pace, seed, variation } = task
  if (first === undefined || bug !== undefined || faults !== undefined) return
  const known = stored()
  const isSame = (other: FailedSeed) => {
    const { durationMs: ms, ...like } = taskOf(other)
    return (
      like.seed === seed &&
      ms === durationMs &&
      like.pace === pace &&
      like.variation === variation &&
      like.operator === operator
    )
  }
  if (known.some(isSame)) return
  const kept: FailedSeed = {
    seed,
    durationMs,
    operator,
    ...(pace === "busy" ? {} : { pace }),
    ...(variation === 0 ? {} : { variation }),
    broke: first.rule
  }
  const lines = [...known, kept].map((each) => `  ${JSON.stringify(each)}`)
  writeFileSync(file, `[\n${lines.join(",\n")}\n]\n`)
}
