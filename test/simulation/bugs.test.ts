/** The deliberate mistakes: every one is found, or the checkers have a hole. */
import { assert, describe, it } from "@effect/vitest"
import { bugs, shrink, simulate } from "../../src/testing/index.ts"

const durationMs = 120_000

/** Each mistake must be found within so many seeds. */
const withinSeeds = 200

/**
 * Each mistake, a seed that finds it (`npm run simulate -- --bugs --time 2m` says which), and the rule it breaks. A change
 * of the code may move the worlds: where that seed finds nothing any more, the ones after it are tried.
 */
const found = [
  ["acknowledge-first", 1, "acknowledged-undone"],
  ["no-keep-alive", 4, "stolen"],
  ["no-reread", 1, "forgotten"],
  ["no-take-over", 1, "lost"],
  ["take-over-at-once", 4, "stolen"],
  ["steals-back", 162, "stolen"],
  ["attempts-from-redis", 1, "attempt-count"],
  ["attempts-forgotten", 3, "attempt-count"],
  ["history-forgotten", 1, "history"],
  ["history-misdated", 1, "history"],
  ["acknowledge-then-add", 1, "acknowledged-undone"],
  ["add-then-acknowledge", 1, "copied-twice"],
  ["move-unowned", 1, "copied-twice"],
  ["retry-from-memory", 1, "acknowledged-undone"],
  ["early-retry", 1, "retry-delay"],
  ["due-now", 1, "early"],
  ["swallowed-acknowledgement", 1, "forgotten"],
  ["dlq-not-acknowledged", 1, "undrained"],
  ["group-at-end", 90, "lost"],
  ["trims-pending", 3, "lost"],
  ["no-release", 1, "not-released"],
  ["poison-uncounted", 62, "poison"],
  ["one-signature", 1, "signature"],
  ["key-per-attempt", 1, "idempotency-key"],
  ["attempt-header", 4, "attempt-count"],
  ["replay-removes-first", 1, "removed-undone"],
  ["replay-adds-first", 1, "copied-twice"],
  ["replay-keeps-attempts", 1, "replayed-wrongly"],
  ["replay-renames", 5, "replayed-wrongly"],
  ["replay-forgets-source", 1, "source"],
  ["replay-forgets-history", 1, "history"],
  ["replay-unmarked", 5, "abandoned-wrongly"],
  ["anything-is-success", 1, "acknowledged-undone"],
  ["no-pause", 8, "pause-ignored"],
  ["no-fsync", 36, "configuration-behind"],
  ["oversize-stalls", 1, "forgotten"],
  ["far-believed", 1, "lost"],
  ["forged-origin-followed", 1, "unexpected"],
  ["centuries-believed", 7, "retry-delay"],
  ["odd-status-is-success", 7, "acknowledged-undone"],
  ["breaker-off", 22, "attempt-burnt"],
  ["limit-per-replica", 22, "rate"],
  ["share-not-kept", 3, "share"],
  ["parked-counts", 7, "attempt-count"],
  ["aside-forgotten", 5, "acknowledged-undone"],
  ["unbounded", 1, "concurrency"],
  ["rules-forgotten", 141, "rule-ignored"]
] as const

const bugNamed = (name: string) => bugs.find((bug) => bug.name === name)

describe("deliberate mistakes", () => {
  it("all are in the table", () => {
    assert.deepStrictEqual(found.map(([name]) => name).toSorted(), bugs.map(({ name }) => name).toSorted())
  })

  it.each(found)("%s is found, from seed %i on", (name, seed, rule) => {
    const finds = (n: number) =>
      simulate({ seed: ((seed - 1 + n) % withinSeeds) + 1, durationMs, bug: bugNamed(name) }).violations.some(
        (violation) => violation.rule === rule
      )
    assert.isTrue(
      Array.from({ length: withinSeeds }, (_, n) => n).some(finds),
      `no seed up to ${withinSeeds} breaks ${rule}`
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
