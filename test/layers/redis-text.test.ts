import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { bytesOfText, hasEscapedBytes, textOfBytes } from "../../src/services/Redis.ts"

/** Bytes at which UTF-8 has its borders. */
const borders = [
  0, 0x41, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff
]
const someBytes = fc.array(fc.oneof(fc.constantFrom(...borders), fc.nat(255)), { maxLength: 12 })

describe("Redis strings that are not UTF-8", () => {
  it("come back byte by byte, and are told from those that are", () => {
    const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
    const isUtf8 = (bytes: Uint8Array) => {
      try {
        utf8.decode(bytes)
        return true
      } catch {
        return false
      }
    }
    fc.assert(
      fc.property(someBytes, (list) => {
        const bytes = Uint8Array.from(list)
        const text = textOfBytes(bytes)
        assert.deepStrictEqual(bytesOfText(text), bytes)
        assert.strictEqual(hasEscapedBytes(text), !isUtf8(bytes))
      }),
      { numRuns: 5_000 }
    )
  })

  it("a megabyte of bad bytes takes milliseconds, not seconds", () => {
    for (const bytes of [
      new Uint8Array(1_048_576).fill(0xff),
      Uint8Array.from({ length: 1_048_576 }, (_, i) => (i % 2 === 0 ? 0x41 : 0xe0))
    ]) {
      const started = performance.now()
      assert.strictEqual(bytesOfText(textOfBytes(bytes)).length, bytes.length)
      assert.isBelow(performance.now() - started, 1_500)
    }
  })
})
