import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import { clip, decodeAbandonedEntry, encodeAbandonedEntry } from "../../src/domain/delivery/dlq.ts"
import { eventFields, type FlatFields, keptFields, piecesOf } from "../../src/domain/events/entry.ts"
import { writeCut } from "../../src/domain/text/cutText.ts"
import { bytesOfText } from "../../src/domain/text/escapedBytes.ts"

const abandonedFor = (problem: string | undefined) => ({
  reason: problem === undefined ? ("exhausted" as const) : ("invalid" as const),
  attempts: 0,
  origin_stream: "s",
  origin_id: "1-1",
  first_failed_at: 1,
  abandoned_at: 1,
  error_code: "INVALID",
  error_message: problem === undefined ? "nothing is wrong" : clip(problem)
})

/** The fields of an event as they come out of the abandoned stream, where they were given up for what is wrong with them. */
const there = (fields: FlatFields): FlatFields => {
  const read = eventFields(fields)
  const abandoned = abandonedFor(Result.isFailure(read) ? read.failure.message : undefined)
  const decoded = decodeAbandonedEntry(encodeAbandonedEntry(abandoned, fields))
  assert(Result.isSuccess(decoded))
  return decoded.success.event
}

describe("an abandoned event's fields", () => {
  it.each([
    [["a", "1", "b", "2"]],
    // Of names that differ, however they look.
    [["a", "1", "a#2", "2"]],
    [["a#2", "1", "a", "2", "a#3", "3"]],
    [["a", "1", "__proto__", "2"]],
    [["data", '{"a":1,"a":2}']]
  ])("come back as they were: %j", (fields) => {
    assert.deepStrictEqual(there(fields), fields)
  })

  it.each([
    [["a", "1", "b", "2", "a", "3"]],
    [["a", "1", "a", "1", "a", "1"]],
    [["", "1", "", "2"]],
    [["data", "{}", "data", "{}"]],
    [["x".repeat(2_000), "1", "x".repeat(2_000), "2"]]
  ])("keep a name that occurs again: what was invalid for it stays invalid", (fields) => {
    assert.deepStrictEqual(there(fields), fields)
    assert(Result.isFailure(eventFields(there(fields))))
  })

  it("stay invalid where a name occurs again beside one that looks like it", () => {
    assert(Result.isFailure(eventFields(there(["a", "1", "a", "2", "a#2", "3"]))))
    assert(Result.isFailure(eventFields(there(["a", "1", "a#2", "2", "a", "3"]))))
  })
})

describe("an abandoned event that is too large", () => {
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest()

  const sumOf = (fields: FlatFields) => {
    const pieces = [...piecesOf(fields)]
    const sum = createHash("sha256")
    for (const { hashed } of pieces) sum.update(hashed)
    return { bytes: pieces.reduce((total, { bytes }) => total + bytes, 0), sha256: sum.digest("hex") }
  }

  it("is kept whole up to 1 MiB", () => {
    const fields = ["a", "x".repeat(1_048_575)]
    assert.strictEqual(keptFields(fields), fields)
  })

  it("is hashed in pieces of a quarter of a MiB, whatever it is made of", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom("", "a", "\udcff", "x".repeat(300_000), "😀".repeat(200_000), `y${"😀".repeat(131_073)}`)
        ),
        (fields) => {
          const bytes = bytesOfText(fields.join(""))
          assert.deepStrictEqual(sumOf(fields), { bytes: bytes.length, sha256: sha256(bytes).toString("hex") })
          for (const { bytes } of piecesOf(fields)) assert.isAtMost(bytes, 4 * 262_144 + 4)
        }
      ),
      { numRuns: 30 }
    )
  })

  it("of which Redis gave only the start of a value keeps that, the value's length and its hash", () => {
    const hash = "0123456789abcdef".repeat(4)
    const fields = ["a", "1", "b", writeCut({ start: "start", bytes: 10_000_000, sha256: hash }), "c", "2"]
    assert.deepStrictEqual(keptFields(fields), ["a", "1", "b", "start", "c", "2"])
    assert.deepStrictEqual(sumOf(fields), {
      bytes: 10_000_005,
      sha256: sha256(Buffer.from(`a1b${hash}c2`)).toString("hex")
    })
    const read = eventFields(fields)
    assert(Result.isFailure(read))
    assert.strictEqual(read.failure.message, "entry: must be at most 1 MiB")
  })

  it("keeps the first 4 KiB of each field in whole characters, and what it was in all", () => {
    const fields = ["a", "x".repeat(1_048_576), "b", "é".repeat(3_000), "c", `x${"😀".repeat(2_000)}`, "d", "short"]
    const event = keptFields(fields)
    const truncated = sumOf(fields)
    const kept = ["a", "x".repeat(4_096), "b", "é".repeat(2_048), "c", `x${"😀".repeat(1_023)}`, "d", "short"]
    assert.deepStrictEqual(event, kept)
    const text = fields.join("")
    assert.deepStrictEqual(truncated, {
      bytes: Buffer.byteLength(text),
      sha256: sha256(Buffer.from(text)).toString("hex")
    })
    const entry = encodeAbandonedEntry(abandonedFor("entry: must be at most 1 MiB"), event, { truncated })
    assert.strictEqual(entry[6], "truncated")
    const decoded = decodeAbandonedEntry(entry)
    assert(Result.isSuccess(decoded))
    assert.deepStrictEqual(decoded.success.truncated, truncated)
    assert.deepStrictEqual(decoded.success.event, event)
  })

  it("with a hundred thousand fields it takes no longer than others", () => {
    for (const name of [(i: number) => `${i}`, () => "a"]) {
      const fields = Array.from({ length: 200_000 }, (_, i) => (i % 2 === 0 ? name(i) : ""))
      const started = performance.now()
      const event = keptFields(fields)
      const truncated = sumOf(fields)
      encodeAbandonedEntry(abandonedFor("entry: must have at most 256 fields"), event, { truncated })
      assert.isBelow(performance.now() - started, 500)
      assert.strictEqual(event.length, 512)
    }
  })
})
