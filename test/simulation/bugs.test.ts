/** The deliberate mistakes: every one is found, or the checkers have a hole. */
import { assert, describe, it } from "@effect/vitest"
import { bugs, shrink, simulate } from "../../src/testing/index.ts"
import { bugDurationMs, seedOf } from "./bugSeeds.ts"

/** Each mistake must be found within so many seeds. */
const withinSeeds = 200

describe("deliberate mistakes", () => {
  it.each(bugs)("$name is found", (bug) => {
    const { name, rule } = bug
    const again = `npm run simulate -- --bugs --bug ${name} --time ${bugDurationMs / 1_000}s looks for another`
    const seed = seedOf(bug)
    if (seed === undefined) return assert.fail(`no seed is known to find ${name}: ${again}`)
    assert.isAtMost(seed, withinSeeds)
    const { violations } = simulate({ seed, durationMs: bugDurationMs, bug, untilRule: rule })
    const broken = violations.map((violation) => violation.rule)
    // A change of the code may move the worlds: then another seed finds it, or the checkers have a hole.
    assert.include(broken, rule, `seed ${seed} finds ${name} no more: ${again}`)
  })

  it("a failure is shrunk to the faults it needs", () => {
    const bug = bugs.find(({ name }) => name === "no-fsync")
    const seed = bug === undefined ? undefined : seedOf(bug)
    if (bug === undefined || seed === undefined) return assert.fail("there is no such mistake")
    const options = { seed, durationMs: bugDurationMs, bug }
    const { faults } = simulate(options).scenario
    const kept = shrink(options, bug.rule, faults.length)
    assert.isBelow(kept.length, faults.length)
    assert.isAbove(kept.length, 0)
    assert.include(
      simulate({ ...options, faults: kept, untilRule: bug.rule }).violations.map(({ rule }) => rule),
      bug.rule
    )
  })
})
