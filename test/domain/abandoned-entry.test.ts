import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { clip, decodeAbandonedEntry, encodeAbandonedEntry } from "../../src/domain/delivery/dlq.ts"
import { eventFields, type FlatFields } from "../../src/domain/events/entry.ts"

/** The fields of an event as they come out of the abandoned stream, where they were given up for what is wrong with them. */
const there = (fields: FlatFields): FlatFields => {
  const read = eventFields(fields)
  const abandoned = {
    reason: Result.isFailure(read) ? ("invalid" as const) : ("exhausted" as const),
    attempts: 0,
    origin_stream: "s",
    origin_id: "1-1",
    first_failed_at: 1,
    abandoned_at: 1,
    error_code: "INVALID",
    error_message: Result.isFailure(read) ? clip(read.failure.message) : "nothing is wrong"
  }
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
