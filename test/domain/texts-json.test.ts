import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { textsJson } from "../../src/domain/json/textsJson.ts"

const unit = fc.oneof(
  fc.constantFrom("\udc80", "\udcff", "\ud83d", "\ude00", "\ud800", "\u0000", "\n", '"', "\\", "é", "中", "a"),
  fc.string({ unit: "binary", maxLength: 2 })
)
const text = fc.array(unit, { maxLength: 8 }).map((units) => units.join(""))

it("the pieces of an object of texts make the JSON that JSON.stringify makes", () => {
  fc.assert(
    fc.property(fc.dictionary(text, text), (texts) => {
      assert.strictEqual([...textsJson(texts)].join(""), JSON.stringify(texts))
    }),
    { numRuns: 2_000 }
  )
})

it("long texts come in many pieces, and are read back whole where one ends within a pair", () => {
  const texts = { [`${"\udcff".repeat(65_535)}\ud83d\ude00`]: `a${"\ud83d\ude00".repeat(500_000)}` }
  const pieces = [...textsJson(texts)]
  assert.isAbove(pieces.length, 16)
  assert.isBelow(Math.max(...pieces.map(({ length }) => length)), 400_000)
  assert.deepStrictEqual(JSON.parse(pieces.join("")), texts)
})
