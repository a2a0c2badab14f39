/** A reduced set of seeds in the test command; `npm run simulate` runs as many as asked for. */
import { assert, describe, it } from "@effect/vitest"
import { simulate } from "../../src/testing/simulation/simulate.ts"

const seeds = Array.from({ length: 16 }, (_, index) => index + 1)
/** Those that once found something; their worlds had no operator. */
const telling = [323, 1397, 1480, 2493, 2585, 2657, 5561, 6970]
/** A minute of traffic and faults each. */
const durationMs = 60_000

describe("simulated worlds", () => {
  it.each([...seeds.map((seed) => [seed, true] as const), ...telling.map((seed) => [seed, false] as const)])(
    "seed %i breaks no rule (an operator: %s)",
    (seed, operator) => {
      const { tally, violations } = simulate({ seed, durationMs, operator })
      assert.deepStrictEqual(violations, [])
      assert.isAbove(tally.delivered, 0)
      assert.strictEqual(tally.lost, 0)
    }
  )

  it("an operator's replays are part of the history: events given up are put back, and delivered", () => {
    const { scenario, tally, violations } = simulate({ seed: 1, durationMs })
    const alone = simulate({ seed: 1, durationMs, operator: false })
    assert.deepStrictEqual(violations, [])
    assert.isAbove(tally.replayed, 0)
    assert.strictEqual(alone.tally.replayed, 0)
    assert.isAbove(scenario.operatorPlan.length, 1)
    assert.deepStrictEqual(scenario.faults.slice(0, alone.scenario.faults.length), alone.scenario.faults)
  })

  it("a clock set back while Redis was away makes no retry early", () => {
    assert.deepStrictEqual(simulate({ seed: 132, durationMs: 600_000, operator: false }).violations, [])
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
})
