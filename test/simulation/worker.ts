/** Runs seeds in a thread of its own, as they are asked for. */
import { parentPort } from "node:worker_threads"
import { bugs } from "../../src/testing/simulation/bugs.ts"
import type { Pace } from "../../src/testing/simulation/scenario.ts"
import {
  type Progress,
  type SimulateOptions,
  simulate,
  type Tally,
  type Verdict
} from "../../src/testing/simulation/simulate.ts"
import { takeCounts } from "./marks/marked.ts"

/** One seed to run. */
export interface Task {
  readonly seed: number
  readonly durationMs: number
  readonly pace: Pace
  /** 0: the seed itself. */
  readonly variation: number
  readonly faults: ReadonlyArray<number> | undefined
  readonly bug: string | undefined
  /** Whether an operator looks after it. */
  readonly operator: boolean
  /** Run it again, to see whether the history is the same. */
  readonly twice: boolean
  /** End it as soon as this rule is broken. */
  readonly untilRule?: string | undefined
}

/** A world that still runs. */
export interface Underway extends Progress {
  readonly _tag: "Underway"
  readonly task: Task
  /** Whether it is the second time. */
  readonly again: boolean
  readonly cpuMs: number
}

export interface Result {
  readonly _tag: "Result"
  readonly task: Task
  readonly hash: string
  readonly tally: Tally
  readonly violations: Verdict["violations"]
  readonly faults: number
  readonly replicas: number
  /** Of this thread, in milliseconds; the second run not counted. */
  readonly cpuMs: number
  /** The most memory that the thread's world and all else of this process had, in MiB. */
  readonly peakMb: number
  /** How often each mark was reached, in the order of their names. */
  readonly marks: ReadonlyArray<number>
  /** How often each rare state was seen. */
  readonly rare: Verdict["rare"]
}

export const optionsOf = (task: Task): SimulateOptions => ({
  seed: task.seed,
  durationMs: task.durationMs,
  pace: task.pace,
  variation: task.variation,
  faults: task.faults,
  operator: task.operator,
  untilRule: task.untilRule,
  bug: task.bug === undefined ? undefined : bugs.find(({ name }) => name === task.bug)
})

const cpuNow = (): number => {
  const { system, user } = process.threadCpuUsage?.() ?? process.cpuUsage()
  return (system + user) / 1_000
}

/** How often a world that still runs is told of, in milliseconds of this machine. */
const tellEveryMs = 2_000

/** Runs a world, telling now and then how far it is: its thread is busy with nothing else until it has ended. */
const lived = (task: Task, again: boolean): Verdict => {
  const before = cpuNow()
  let told = Date.now()
  return simulate({
    ...optionsOf(task),
    onProgress: (progress) => {
      if (Date.now() - told < tellEveryMs) return
      told = Date.now()
      const underway: Underway = { _tag: "Underway", task, again, cpuMs: cpuNow() - before, ...progress }
      parentPort?.postMessage(underway)
    }
  })
}

const run = (task: Task): Result => {
  takeCounts()
  const before = cpuNow()
  const verdict = lived(task, false)
  const cpuMs = cpuNow() - before
  const marks = takeCounts()
  const again = task.twice ? lived(task, true).hash : verdict.hash
  const violations =
    again === verdict.hash
      ? verdict.violations
      : [
          ...verdict.violations,
          { rule: "same-history", phase: "safety" as const, at: 0, detail: `${verdict.hash}, the second time ${again}` }
        ]
  const { faults, replicas } = verdict.scenario
  return {
    _tag: "Result",
    task,
    hash: verdict.hash,
    tally: verdict.tally,
    violations,
    faults: faults.length,
    replicas: replicas.length,
    cpuMs,
    peakMb: process.resourceUsage().maxRSS / 1_024,
    marks,
    rare: verdict.rare
  }
}

parentPort?.on("message", (task: Task) => {
  parentPort?.postMessage(run(task))
})
