import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { makeByteLines } from "../../src/domain/text/byteLines.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const linesOf = (pieces: ReadonlyArray<string>, most = 1_000) => {
  const lines = makeByteLines(most)
  const all = [...pieces.flatMap((piece) => lines.push(bytes(piece))), ...lines.end()]
  return all.map((line) => (line === undefined ? undefined : new TextDecoder().decode(line)))
}

describe("lines of bytes", () => {
  it("are the same however the bytes come", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom("a", "é", "\n", "\r") })), (pieces) => {
        const expected = pieces.join("").split("\n")
        if (expected.at(-1) === "") expected.pop()
        assert.deepStrictEqual(linesOf(pieces), expected)
      })
    )
  })

  it("of which one is too long are cut off, and do not harm the next", () => {
    assert.deepStrictEqual(linesOf(["12345", "67\n12", "34\n", "1".repeat(100)], 4), [undefined, "1234", undefined])
  })
})
