/** What fails by one partition's fault opens no circuit of the API: while others succeed that one alone is to blame. */
import type { Process } from "../../world/process.ts"
import { type Checker, isPrompt, isSuccess, type Scene } from "./checker.ts"

/** Failures so long ago no longer count for anything, in milliseconds, since others succeeded in the meantime. */
const failuresMs = 70_000
/** A success so long ago shows for certain that others succeed, in milliseconds. */
const evidenceMs = 50_000

type Values = ReadonlyArray<string | undefined>

/** An answer that a process was given to an event of such partitions, in milliseconds after the world's start. */
interface Answer {
  readonly at: number
  readonly values: Values
  readonly status: number
  readonly success: boolean
}

/** Whether all failures came from one partition of a field, outside of which others succeeded. */
const isConfined = (answers: ReadonlyArray<Answer>, field: number, now: number): boolean => {
  const failures = answers.filter(({ success }) => !success)
  const value = failures[0]?.values[field]
  // Who is not answered may not have reached the API at all, which is nobody's fault but the API's.
  if (value === undefined || failures.some(({ status, values }) => status <= 0 || values[field] !== value)) return false
  return answers.some(({ at, success, values }) => success && at > now - evidenceMs && values[field] !== value)
}

export const blame = ({ records, report, scenario, world }: Scene): Checker => {
  const { isolateBy } = scenario.settings
  const answers = new WeakMap<Process, Array<Answer>>()
  const open = new WeakSet<Process>()

  const isToBlame = (process: Process): boolean => {
    const now = world.elapsed
    const lately = (answers.get(process) ?? []).filter(({ at }) => at > now - failuresMs)
    answers.set(process, lately)
    return !isolateBy.some((_, field) => isConfined(lately, field, now))
  }

  if (!isPrompt(scenario)) return {}
  return {
    onEnd: ({ process, request }, status, body) => {
      const values = records.ofEvent(request.headers["idempotency-key"] ?? "")?.produced.values
      if (values === undefined) return
      const known = answers.get(process) ?? []
      answers.set(process, known)
      const partitions = isolateBy.map((field) => values[field])
      known.push({ at: world.elapsed, values: partitions, status, success: isSuccess(status, body) })
    },
    onLook: () => {
      for (const { process, run } of world.replicas) {
        if (process === undefined || run === undefined) continue
        const isFair = isToBlame(process)
        if (!run.gate.circuitOpen) open.delete(process)
        else if (!open.has(process)) {
          open.add(process)
          if (!isFair) report("api-blamed", `${process.name}: its circuit is open, and one partition alone fails`)
        }
      }
    }
  }
}
