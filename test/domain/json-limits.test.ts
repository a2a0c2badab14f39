import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { jsonLimitProblem } from "../../src/domain/json/jsonLimits.ts"

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth)
const membersOf = (value: unknown): number =>
  typeof value === "object" && value !== null
    ? Object.values(value).reduce((sum: number, member) => sum + 1 + membersOf(member), 0)
    : 0

describe("the limits of JSON, before it is parsed", () => {
  it("64 levels are allowed, 65 are not, whatever they are of", () => {
    assert.isUndefined(jsonLimitProblem(nested(64)))
    assert.match(jsonLimitProblem(nested(65)) ?? "", /deeper than 64/)
    assert.match(jsonLimitProblem('{"a":'.repeat(65)) ?? "", /deeper than 64/)
    assert.isUndefined(jsonLimitProblem(`["${"[".repeat(100)}"]`), "brackets in a string are no levels")
    assert.isUndefined(jsonLimitProblem(`["\\"${"[".repeat(100)}"]`), "nor after an escaped quote")
  })

  it("10,000 members in all are allowed, one more is not; empty arrays and objects have none", () => {
    const list = (length: number) => JSON.stringify(Array.from({ length }, () => ({})))
    assert.isUndefined(jsonLimitProblem(list(10_000)))
    assert.match(jsonLimitProblem(list(10_001)) ?? "", /at most 10,000 members/)
    assert.isUndefined(jsonLimitProblem(`[${'{"a":1},'.repeat(4_999)}{"a":[ ]}]`))
    assert.isDefined(jsonLimitProblem(`[${'{"a":1},'.repeat(5_000)}1]`))
  })

  it("allows all JSON within the limits", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value, undefined, 1)
        assert.isUndefined(membersOf(value) > 10_000 ? undefined : jsonLimitProblem(text))
      })
    )
  })

  it("looks no further than the limit", () => {
    const hostile = "[".repeat(50_000_000)
    const started = performance.now()
    assert.isDefined(jsonLimitProblem(hostile))
    assert.isBelow(performance.now() - started, 1_000)
  })
})
