import { assert, describe, it } from "vitest"
import { hourOf, hoursBetween, minuteField, minutesOf, noCounts } from "../../src/domain/replicas/minutes.ts"

const at = Date.parse("2026-01-31T22:05:59.999Z")
const hour = Date.parse("2026-01-31T22:00:00Z")

describe("counts by minute", () => {
  it("lie in the hash of their hour, under minute, stream and what was counted", () => {
    assert.strictEqual(hourOf(at), "2026-01-31T22")
    assert.strictEqual(minuteField(at, "dlq", "set_aside"), "05:dlq:set_aside")
  })

  it("are read back by minute and stream, in order; a label may hold a colon", () => {
    const fields = new Map([
      [minuteField(at, "dlq", "received"), 3],
      [minuteField(at, "own:kind", "delivered"), 2],
      [minuteField(hour, "dlq", "abandoned"), 1]
    ])
    assert.deepStrictEqual(minutesOf(hour, fields), [
      { at: hour, streams: new Map([["dlq", { ...noCounts(), abandoned: 1 }]]) },
      {
        at: hour + 300_000,
        streams: new Map([
          ["dlq", { ...noCounts(), received: 3 }],
          ["own:kind", { ...noCounts(), delivered: 2 }]
        ])
      }
    ])
  })

  it("pass over what is none", () => {
    const junk = new Map([
      ["99:dlq:received", 1],
      ["05:dlq:eaten", 1],
      ["constructor", 1],
      ["05:dlq:received", Number.NaN]
    ])
    assert.deepStrictEqual(minutesOf(hour, junk), [])
  })

  it("of a span lie in the hours from its beginning to its end", () => {
    assert.deepStrictEqual(hoursBetween(at - 3_600_000, at), [hour - 3_600_000, hour])
    assert.deepStrictEqual(hoursBetween(at, at), [hour])
    assert.deepStrictEqual(hoursBetween(at + 3_600_000, at), [])
  })
})
