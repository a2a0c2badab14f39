import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { auditFields, auditRecordOf } from "../../src/domain/audit/auditRecord.ts"
import { namedPartition } from "../../src/domain/traffic/namedPartition.ts"
import { rateOf, rateRule, shownRate } from "../../src/domain/traffic/rate.ts"
import {
  activeRules,
  type Park,
  type Rule,
  rulesOf,
  storedRules,
  withoutRule,
  withRule
} from "../../src/domain/traffic/rules.ts"

describe("a rate", () => {
  it("is read as people write it", () => {
    for (const [text, count, perMs] of [
      ["200 per second", 200, 1_000],
      ["100/s", 100, 1_000],
      ["1 / sec", 1, 1_000],
      ["6000 per minute", 6_000, 60_000],
      ["6000/min", 6_000, 60_000],
      ["5 Per Hours", 5, 3_600_000],
      ["1000000 per second", 1_000_000, 1_000]
    ] as const) {
      assert.deepStrictEqual(rateOf(text), { count, perMs }, text)
    }
    const examples = /"(.+)" or (.+)$/.exec(rateRule)?.slice(1) ?? []
    assert.deepStrictEqual(
      examples.map((example) => rateOf(example)?.count),
      [200, 100]
    )
    assert.strictEqual(shownRate({ count: 6_000, perMs: 60_000 }), "6000 per minute")
  })

  it("that cannot be is none", () => {
    for (const text of ["", "200", "per second", "0 per second", "-1/s", "1.5/s", "1e3/s", "1000001/s", "5 per day"]) {
      assert.strictEqual(rateOf(text), undefined, text)
    }
    for (const text of ["99999999/s", "5 perhour", "5 per second per second", "NaN/s", "५/s"]) {
      assert.strictEqual(rateOf(text), undefined, text)
    }
  })
})

describe("a partition as an operator names it", () => {
  it("is a field that events have and a value, which may hold anything", () => {
    assert.deepStrictEqual(namedPartition("user_id=u-1"), { field: "user_id", value: "u-1" })
    assert.deepStrictEqual(namedPartition("model=a=b c"), { field: "model", value: "a=b c" })
  })

  it("else says what is wrong", () => {
    const problem = (text: string) => {
      const read = namedPartition(text)
      return "problem" in read ? read.problem : undefined
    }
    assert.strictEqual(problem("user_id"), "it must be <field>=<value>, such as user_id=u-1")
    assert.strictEqual(
      problem("user=u-1"),
      "no event can be parked by a field user; there are model, user_id, device_id, session_id"
    )
    assert.strictEqual(problem("=u-1"), "it must be <field>=<value>, such as user_id=u-1")
    assert.strictEqual(problem("user_id="), "a value must follow user_id=")
    assert.strictEqual(problem(`user_id=${"x".repeat(257)}`), "the value of user_id must be at most 256 characters")
  })
})

const pause: Rule = { kind: "pause", at: 1, by: "ops", until: 100 }
const limit: Rule = { kind: "limit", rate: { count: 5, perMs: 1_000 }, at: 1, by: "ops", why: "a migration" }
const park = (value: string): Park => ({ kind: "park", field: "user_id", value, at: 1, by: "ops" })

describe("the rules' text", () => {
  it("is read back as it was written, and no text is no rules", () => {
    const rules = [pause, limit, park("u-1")]
    assert.deepStrictEqual(Result.getOrThrow(rulesOf(storedRules(rules))), rules)
    assert.deepStrictEqual(Result.getOrThrow(rulesOf(undefined)), [])
  })

  it("of which any part is not understood is refused whole", () => {
    const rules = (rule: unknown) => JSON.stringify({ rules: [pause, rule] })
    for (const text of [
      "",
      "garbage",
      "[]",
      "null",
      '{"rules":{}}',
      "[".repeat(100_000),
      rules({ ...pause, kind: "stop" }),
      rules({ ...pause, until: "soon" }),
      rules({ ...pause, by: "" }),
      rules({ ...limit, rate: { count: 0, perMs: 1_000 } }),
      rules({ ...limit, rate: { count: 1, perMs: 1 } }),
      rules({ ...park("u-1"), field: undefined }),
      JSON.stringify({ rules: Array.from({ length: 1_001 }, (_, i) => park(`${i}`)) })
    ]) {
      assert.isTrue(Result.isFailure(rulesOf(text)), text.slice(0, 100))
    }
  })
})

describe("a set of rules", () => {
  it("holds one about each subject, and none that has ended", () => {
    const later: Rule = { ...limit, rate: { count: 9, perMs: 1_000 } }
    assert.deepStrictEqual(withRule([pause, limit, park("u-1")], later, 50), [pause, park("u-1"), later])
    assert.deepStrictEqual(withRule([pause, park("u-1")], park("u-2"), 100), [park("u-1"), park("u-2")])
    assert.deepStrictEqual(withoutRule([pause, park("u-1"), park("u-2")], park("u-1"), 50), [pause, park("u-2")])
    assert.deepStrictEqual(withoutRule([pause, limit], { kind: "limit" }, 50), [pause])
    assert.deepStrictEqual(activeRules([pause, limit], 99), [pause, limit])
    assert.deepStrictEqual(activeRules([pause, limit], 100), [limit])
  })
})

describe("an audit record", () => {
  const record = { at: 5, who: "anna@host", action: "park", target: "user_id=u-1", count: 3, why: "hangs" }

  it("is read back as it was written", () => {
    assert.deepStrictEqual(auditRecordOf(auditFields(record)), record)
    assert.deepStrictEqual(auditRecordOf(auditFields({ at: 5, who: "x", action: "y" })), {
      at: 5,
      who: "x",
      action: "y"
    })
  })

  it("has its texts cut where they are too long", () => {
    const cut = auditRecordOf(auditFields({ ...record, why: "w".repeat(100_000) }))
    assert.strictEqual(cut?.why, `${"w".repeat(999)}…`)
  })

  it("of what is none is none", () => {
    for (const fields of [[], ["audit"], ["audit", "{"], ["audit", "{}"], ["x", "1"], ["audit", "{}", "audit", "{}"]]) {
      assert.strictEqual(auditRecordOf(fields), undefined)
    }
  })
})
