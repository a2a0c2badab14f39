/**
 * Tries mutants of a target's inputs, by the chance of a seed: the same ones for the same seed. An input that comes to
 * something new joins those that are mutated. What is found is made as small as it goes.
 */
import { setImmediate } from "node:timers/promises"
import { Chance } from "../../src/testing/world/chance.ts"
import { mutate } from "./mutate.ts"
import { type Input, mustBeUnpolluted, type Target } from "./target.ts"

/** Who takes longer to go through one input holds up everything else, in milliseconds of the processor. */
const mostMs = 100

/** Of this thread: what else runs on the machine does not count. */
const cpuNow = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1_000
}

/** Most inputs that are mutated, and the longest of them. */
const poolSize = 500
const longestInPool = 65_536

/** An input for which something does not hold. */
export interface Find {
  readonly target: string
  readonly problem: string
  readonly input: Input
}

export interface Outcome {
  readonly executions: number
  /** Different things that inputs came to. */
  readonly outcomes: number
  readonly finds: ReadonlyArray<Find>
}

const sizeOf = (input: Input): number => input.reduce((size, text) => size + text.length, 0)

/** How an input ends: what it came to, and what is wrong with that. Slow is only what is so three times in a row. */
export const tryInput = async (
  target: Target,
  input: Input
): Promise<{ readonly outcome: string; readonly problem: string | undefined }> => {
  for (let tries = 1; ; tries++) {
    // What an attempt leaves to the event loop is done, and lets go of what it holds.
    await setImmediate()
    const began = cpuNow()
    try {
      const attempted = target.attempt(input)
      const outcome = typeof attempted === "string" ? attempted : await attempted
      mustBeUnpolluted()
      const isSlow = cpuNow() - began > mostMs * (target.passes ?? 1)
      if (!isSlow) return { outcome, problem: undefined }
      if (tries === 3) return { outcome, problem: `takes longer than ${mostMs} ms` }
    } catch (error) {
      const problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
      return { outcome: "broken", problem: problem.slice(0, 200) }
    }
  }
}

/** Pieces to leave out, halves first. */
const shorter = function* (input: Input): Generator<Input> {
  for (let length = Math.ceil(input.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2))
    for (let at = 0; at < input.length; at += length) yield input.toSpliced(at, length)
  for (const [index, text] of input.entries())
    for (let length = Math.ceil(text.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2))
      for (let at = 0; at < text.length; at += length)
        yield input.with(index, text.slice(0, at) + text.slice(at + length))
}

const mostShrinkMs = 5_000

/** The smallest input for which still something does not hold, as far as leaving out leads within some seconds. */
const minimised = async (target: Target, found: Input): Promise<Find> => {
  const until = performance.now() + mostShrinkMs
  let input = found
  let problem = (await tryInput(target, input)).problem ?? "only once"
  for (let shrunk = true; shrunk; ) {
    shrunk = false
    for (const candidate of shorter(input)) {
      if (performance.now() > until) break
      const again = (await tryInput(target, candidate)).problem
      if (again === undefined) continue
      input = candidate
      problem = again
      shrunk = true
      break
    }
  }
  return { target: target.name, problem, input }
}

/** Fuzzes a target until so many inputs were tried, or the time is over. */
export const fuzz = async (
  target: Target,
  seed: string,
  limit: { readonly executions: number; readonly ms: number }
): Promise<Outcome> => {
  const chance = new Chance(`${seed}/${target.name}`)
  const pool: Array<Input> = []
  const seen = new Set<string>()
  const finds = new Map<string, Find>()
  const until = performance.now() + limit.ms
  let executions = 0

  const tryOne = async (input: Input) => {
    executions += 1
    const { outcome, problem } = await tryInput(target, input)
    const kind = `${outcome} ${problem ?? ""}`
    if (seen.has(kind)) return
    seen.add(kind)
    if (problem !== undefined) finds.set(kind, await minimised(target, input))
    else if (sizeOf(input) <= longestInPool && pool.length < poolSize) pool.push(input)
  }

  for (const input of target.seeds) {
    pool.push(input)
    await tryOne(input)
  }
  while (executions < limit.executions && performance.now() < until)
    await tryOne(mutate(chance.pick(pool), target.words, pool, chance))
  return { executions, outcomes: seen.size, finds: [...finds.values()] }
}
