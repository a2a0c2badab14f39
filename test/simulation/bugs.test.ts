/** Some of the deliberate mistakes, each found by the seed that finds it soonest; `npm run simulate -- --bugs` has them all. */
import { assert, describe, it } from "@effect/vitest"
import { bugs, shrink, simulate } from "../../src/testing/index.ts"

const durationMs = 120_000

/** A mistake, a seed that finds it, and the rule it breaks. */
const found = [
  ["acknowledge-first", 1, "acknowledged-undone"],
  ["acknowledge-then-add", 1, "acknowledged-undone"],
  ["add-then-acknowledge", 1, "copied-twice"],
  ["retry-from-memory", 3, "acknowledged-undone"],
  ["early-retry", 3, "retry-delay"],
  ["due-now", 3, "early"],
  ["swallowed-acknowledgement", 1, "forgotten"],
  ["move-unowned", 1, "copied-twice"],
  ["take-over-at-once", 5, "stolen"],
  ["key-per-attempt", 1, "idempotency-key"],
  ["unbounded", 1, "concurrency"]
] as const

const bugNamed = (name: string) => bugs.find((bug) => bug.name === name)

describe("deliberate mistakes", () => {
  it("there are enough, and each says what is wrong", () => {
    assert.isAtLeast(bugs.length, 12)
    assert.strictEqual(new Set(bugs.map(({ name }) => name)).size, bugs.length)
  })

  it.each(found)("%s is found by seed %i", (name, seed, rule) => {
    const { violations } = simulate({ seed, durationMs, bug: bugNamed(name) })
    assert.include(
      violations.map((violation) => violation.rule),
      rule
    )
  })

  it("a failure is shrunk to the faults it needs", () => {
    const options = { seed: 36, durationMs, bug: bugNamed("no-fsync") }
    const { scenario, violations } = simulate(options)
    const rule = violations[0]?.rule ?? ""
    const kept = shrink(options, rule, scenario.faults.length)
    assert.isBelow(kept.length, scenario.faults.length)
    assert.isAbove(kept.length, 0)
    assert.include(
      simulate({ ...options, faults: kept }).violations.map((violation) => violation.rule),
      rule
    )
  })
})
