/** Runs seeds in a thread of its own, as they are asked for. */
import { parentPort } from "node:worker_threads"
import { bugs } from "../../src/testing/simulation/bugs.ts"
import type { Pace } from "../../src/testing/simulation/scenario.ts"
import { type SimulateOptions, simulate, type Tally, type Verdict } from "../../src/testing/simulation/simulate.ts"

/** One seed to run. */
export interface Task {
  readonly seed: number
  readonly durationMs: number
  readonly pace: Pace
  readonly faults: ReadonlyArray<number> | undefined
  readonly bug: string | undefined
  /** Whether an operator looks after it. */
  readonly operator: boolean
  /** Run it again, to see whether the history is the same. */
  readonly twice: boolean
}

export interface Result {
  readonly task: Task
  readonly hash: string
  readonly tally: Tally
  readonly violations: Verdict["violations"]
  readonly faults: number
  readonly replicas: number
  /** Of this process, in milliseconds; the second run not counted. */
  readonly cpuMs: number
}

export const optionsOf = (task: Task): SimulateOptions => ({
  seed: task.seed,
  durationMs: task.durationMs,
  pace: task.pace,
  faults: task.faults,
  operator: task.operator,
  bug: task.bug === undefined ? undefined : bugs.find(({ name }) => name === task.bug)
})

const cpuNow = (): number => {
  const { system, user } = process.threadCpuUsage?.() ?? process.cpuUsage()
  return (system + user) / 1_000
}

const run = (task: Task): Result => {
  const before = cpuNow()
  const verdict = simulate(optionsOf(task))
  const cpuMs = cpuNow() - before
  const again = task.twice ? simulate(optionsOf(task)).hash : verdict.hash
  const violations =
    again === verdict.hash
      ? verdict.violations
      : [...verdict.violations, { rule: "same-history", at: 0, detail: `${verdict.hash}, the second time ${again}` }]
  const { faults, replicas } = verdict.scenario
  return {
    task,
    hash: verdict.hash,
    tally: verdict.tally,
    violations,
    faults: faults.length,
    replicas: replicas.length,
    cpuMs
  }
}

parentPort?.on("message", (task: Task) => {
  parentPort?.postMessage(run(task))
})
