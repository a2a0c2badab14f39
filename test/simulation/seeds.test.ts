/** A reduced set of seeds in the test command; `npm run simulate` runs as many as asked for. */
import { assert, describe, it } from "@effect/vitest"
import { simulate } from "../../src/testing/simulation/simulate.ts"

/** Seeds 1 to 16, and those that once found something; a minute of traffic and faults each. */
const seeds = [...Array.from({ length: 16 }, (_, index) => index + 1), 323, 1397, 1480, 2493, 2585, 2657, 5561, 6970]
const durationMs = 60_000

describe("simulated worlds", () => {
  it.each(seeds)("seed %i breaks no rule", (seed) => {
    const { tally, violations } = simulate({ seed, durationMs })
    assert.deepStrictEqual(violations, [])
    assert.isAbove(tally.delivered, 0)
    assert.strictEqual(tally.lost, 0)
  })

  it("a clock set back while Redis was away makes no retry early", () => {
    assert.deepStrictEqual(simulate({ seed: 132, durationMs: 600_000 }).violations, [])
  })

  it("two days at a trickle break no rule: an event every few minutes, a fault every few hours", () => {
    const { scenario, tally, violations } = simulate({ seed: 3, durationMs: 2 * 86_400_000, pace: "trickle" })
    assert.deepStrictEqual(violations, [])
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
})
