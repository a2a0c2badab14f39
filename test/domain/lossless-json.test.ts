import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { isLongNumber, nearestDouble, parseLossless } from "../../src/domain/json/losslessJson.ts"

const again = (text: string): string => JSON.stringify(parseLossless(text))

describe("JSON whose numbers keep their digits", () => {
  it.each([
    "9007199254740993",
    "-9007199254740993",
    "12345678901234567891",
    "0.1000000000000000055511151231257827",
    "3.141592653589793238462643383279",
    "1e400",
    "-1e400",
    "123e309",
    "1e-400",
    "5e-324000"
  ])("%s is written back as it was written", (number) => {
    for (const text of [number, `[${number}]`, `{"a":${number}}`, `{"a":{"b":[1,${number},"x"]}}`]) {
      assert.strictEqual(again(text), text)
    }
    assert.isTrue(isLongNumber(parseLossless(` ${number} `)))
    assert.strictEqual(nearestDouble(parseLossless(number)), Number(number))
  })

  it.each([
    "0",
    "-1",
    "9007199254740992",
    "0.1",
    "1.50",
    "15e-1",
    "1e3",
    "1.7976931348623157e308",
    "5e-324",
    "1e100",
    "0e999",
    "0.000000000000000000000",
    "1.0000000000000000000",
    "100000000000000000000000",
    "1000000000000000000000e-21"
  ])("%s is the number that JSON.parse makes of it", (number) => {
    assert.strictEqual(parseLossless(number), Number(number))
    assert.strictEqual(nearestDouble(parseLossless(number)), Number(number))
  })

  it("is JSON.parse for every text without a long number, whatever its strings hold", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        assert.deepStrictEqual(parseLossless(text), JSON.parse(text))
      })
    )
    const text = JSON.stringify({ id: "12345678901234567891", nested: [": 12345678901234567891", "e1e400"] })
    assert.deepStrictEqual(parseLossless(text), JSON.parse(text))
    assert.throws(() => parseLossless("[12345678901234567891"), SyntaxError)
    assert.throws(() => parseLossless('[1 "x"]'), SyntaxError)
  })

  it("keeps every digit of every decimal number", () => {
    /** A decimal number as an integer and the power of ten that it is times. */
    const parts = (text: string): readonly [bigint, number] => {
      const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e")
      const [whole = "", fraction = ""] = mantissa.split(".")
      return [BigInt(whole + fraction), Number(exponent) - fraction.length]
    }
    const same = (a: string, b: string): boolean => {
      const [[m, e], [n, f]] = [parts(a), parts(b)]
      const lower = Math.min(e, f)
      return m * 10n ** BigInt(e - lower) === n * 10n ** BigInt(f - lower)
    }
    const numbers = fc.stringMatching(/^(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?$/)
    fc.assert(
      fc.property(numbers, (text) => {
        const value = parseLossless(text)
        const double = Number(text)
        const held = Number.isFinite(double) && same(text, `${double}`)
        assert.deepStrictEqual(isLongNumber(value) ? value.rawJSON : value, held ? double : text)
      }),
      { numRuns: 1_000 }
    )
  })

  it("an object that looks like a long number is an object", () => {
    assert.isFalse(isLongNumber(parseLossless('{"rawJSON":"1","n":12345678901234567891}')))
    assert.strictEqual(again('{"rawJSON":"1"}'), '{"rawJSON":"1"}')
  })

  it("a megabyte of digits costs a time that grows with its length", () => {
    const zeros = "0".repeat(500_000)
    const text = `[1.${zeros}1,1${zeros}1]`
    const start = performance.now()
    assert.strictEqual(again(text), text)
    // With the square of it: some minutes.
    assert.isBelow(performance.now() - start, 5_000)
  })
})
