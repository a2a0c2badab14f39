import { describe, expect, it } from "vitest"
import { instant } from "../../src/domain/events/instant.ts"
import { blanked, cut, printable, printableJson, printableLines } from "../../src/domain/text/printable.ts"

/** Every character that must never reach a terminal or a log as it is. */
const hostile = (() => {
  const characters: Array<string> = []
  for (let code = 0; code <= 0x10ffff; code++) {
    const character = String.fromCodePoint(code)
    if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(character)) characters.push(character)
  }
  return characters
})()

describe("printable", () => {
  it("writes every control, format and separating character as an escape, and leaves all others alone", () => {
    expect(hostile.length).toBeGreaterThan(2_200)
    for (const character of hostile) expect(printable(`a${character}b`)).toMatch(/^a\\[\x21-\x7e]+b$/)
    expect(printable("\u001b[31m \u009b1m \u202egnp.exe \u2028 \u{e0041} \ud800")).toBe(
      "\\u001b[31m \\u009b1m \\u202egnp.exe \\u2028 \\udb40\\udc41 \\ud800"
    )
    expect(printable("Grüße, 世界 👍")).toBe("Grüße, 世界 👍")
  })

  it("keeps the value of JSON, on one line and on several", () => {
    const value = { [hostile.join("-")]: hostile.join("-") }
    for (const indent of [undefined, 2]) {
      const text = printableJson(value, indent)
      expect(JSON.stringify(JSON.parse(text)) === JSON.stringify(value)).toBe(true)
      expect(/^[\x20-\x7e\n]*$/.test(text)).toBe(true)
    }
  })

  it("keeps the breaks of our own lines only where it is told to", () => {
    expect(printable("one\ntwo")).toBe("one\\ntwo")
    expect(printableLines("one\ntwo\u0007")).toBe("one\ntwo\\u0007")
    expect(blanked("one\r\n\u202etwo")).toBe("one two")
  })

  it("cuts, never through a surrogate pair", () => {
    expect(cut("abc", 3)).toBe("abc")
    expect(cut("abcd", 3)).toBe("ab…")
    expect(cut("ab👍!", 4)).toBe("ab…")
  })
})

describe("instant", () => {
  it("is total: a time that no date can tell is its number", () => {
    expect(instant(0)).toBe("1970-01-01T00:00:00.000Z")
    expect(instant(8.64e15)).toBe("+275760-09-13T00:00:00.000Z")
    for (const beyond of [8.64e15 + 1, -8.64e15 - 1, 2 ** 64, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(instant(beyond)).toBe(`${beyond} ms since 1970`)
    }
  })
})
