/** A reduced set of seeds in the test command; `npm run simulate` runs as many as asked for. */
import { assert, describe, it } from "@effect/vitest"
import { afterAll } from "vitest"
import { goneForGood } from "../../src/testing/simulation/livenessPlan.ts"
import { scenarioOf } from "../../src/testing/simulation/seededScenario.ts"
import { simulate } from "../../src/testing/simulation/simulate.ts"
import { MarkTally } from "./marks/tally.ts"
import { durationMs, reducedSeeds as tasks } from "./reducedSeeds.ts"
import { RareTally } from "./report.ts"
import { WorldThread } from "./threads.ts"
import type { Result, Task } from "./worker.ts"

const thread = new WorldThread()
const results = new Map<Task, Promise<Result>>()
const lived = (task: Task): Promise<Result> => {
  const known = results.get(task)
  if (known !== undefined) return known
  const result = thread.run(task)
  results.set(task, result)
  return result
}

afterAll(() => thread.end())

describe("simulated worlds", () => {
  it.each(tasks.map((task) => [task.seed, task.operator, task] as const))(
    "seed %i breaks no rule (an operator: %s)",
    async (_seed, _operator, task) => {
      const { tally, violations } = await lived(task)
      assert.deepStrictEqual(violations, [])
      assert.isAbove(tally.delivered, 0)
      assert.strictEqual(tally.lost, 0)
    }
  )

  it("those seeds reach each mark that they are to reach, and some of the rare states", async () => {
    const marks = new MarkTally()
    const rare = new RareTally()
    for (const task of tasks) {
      const result = await lived(task)
      marks.add(result.marks)
      rare.add(result.rare)
    }
    // After a change of the code that decides: npm run marks, and look at what it wrote.
    assert.deepStrictEqual(marks.missingInTest, [])
    assert.deepStrictEqual(marks.mistaken, [])
    assert.deepStrictEqual(marks.stale, [])
    assert.isAtMost(rare.missing.length, 8, rare.missing.join(", "))
  })

  it("an operator's replays are part of the history: events given up are put back, and delivered", () => {
    const { scenario, tally, violations } = simulate({ seed: 1, durationMs })
    const alone = simulate({ seed: 1, durationMs, operator: false })
    assert.deepStrictEqual(violations, [])
    assert.isAbove(tally.replayed, 0)
    assert.strictEqual(alone.tally.replayed, 0)
    assert.isAbove(scenario.operatorPlan.length, 1)
    assert.deepStrictEqual(scenario.faults.slice(0, alone.scenario.faults.length), alone.scenario.faults)
  })

  it("in half the worlds with replicas to spare some stay broken for good, and all that can end ends", () => {
    const broken = tasks.filter(({ seed }) => goneForGood(scenarioOf(seed, durationMs).faults, durationMs).size > 0)
    assert.isAbove(broken.length, 3)
    assert.isBelow(broken.length, tasks.length / 2)
  })

  it("two days at a trickle break no rule: an event every few minutes, a fault every few hours", () => {
    let mostRemembered = 0
    const { scenario, tally, violations } = simulate({
      seed: 3,
      durationMs: 2 * 86_400_000,
      pace: "trickle",
      onProgress: ({ remembered }) => {
        mostRemembered = Math.max(mostRemembered, remembered)
      }
    })
    assert.deepStrictEqual(violations, [])
    // What is over is forgotten: a year takes no more memory than a day.
    assert.isBelow(mostRemembered, 60)
    assert.isAbove(scenario.faults.length, 1)
    assert.isAbove(tally.delivered, 400)
    assert.strictEqual(tally.lost, 0)
  })

  it("the same seed is the same history, another seed another", () => {
    const first = simulate({ seed: 3, durationMs })
    const again = simulate({ seed: 3, durationMs })
    assert.strictEqual(again.hash, first.hash)
    assert.deepStrictEqual(again.tally, first.tally)
    assert.notStrictEqual(simulate({ seed: 4, durationMs }).hash, first.hash)
  })

  it("looking on changes nothing: a traced world has the same history", () => {
    const plain = simulate({ seed: 5, durationMs: 30_000 })
    const traced = simulate({ seed: 5, durationMs: 30_000, trace: true })
    assert.strictEqual(traced.hash, plain.hash)
    assert.isAbove(traced.trace.length, 100)
  })

  it("another order of fibers is another history, and a variation has other faults where its number is odd", () => {
    const { faults } = scenarioOf(3, durationMs)
    assert.deepStrictEqual(scenarioOf(3, durationMs, "busy", 2).faults, faults)
    assert.notDeepEqual(scenarioOf(3, durationMs, "busy", 1).faults, faults)
    const orders = tasks.map(({ seed }) => scenarioOf(seed, durationMs).order)
    assert.includeMembers(orders, ["ranked", "first-come"])
    assert.notStrictEqual(simulate({ seed: 3, durationMs, variation: 2 }).hash, simulate({ seed: 3, durationMs }).hash)
  })
})
