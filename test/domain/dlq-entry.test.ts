import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { decodeDlqEntry, encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"

/** As version 0.1 wrote it. */
const retry = {
  attempt: 2,
  not_before: 20_000,
  origin_stream: "s",
  origin_id: "1-1",
  first_failed_at: 1,
  last_failed_at: 5_000,
  error_code: "HTTP_500",
  error_message: "away"
}
const attempt = {
  at: 4_000,
  error_code: "HTTP_500",
  error_message: "away",
  status: 500,
  duration_ms: 1_000,
  consumer: "replica-1"
}

const decoded = (more: Readonly<Record<string, unknown>>) =>
  decodeDlqEntry(["retry", JSON.stringify({ ...retry, ...more }), "event", '{"a":"1"}'])

describe("a DLQ entry", () => {
  it("of version 0.1 is read as before", () => {
    assert.deepStrictEqual(decoded({}), Result.succeed({ retry, event: ["a", "1"] }))
  })

  it("comes back as it was written, with its history and why it was set aside", () => {
    const full = {
      ...retry,
      attempt: 0,
      history: [attempt, { ...attempt, error_code: "TIMEOUT", status: null }],
      set_aside: "parked" as const,
      partition: "user_id=u-1"
    }
    assert.deepStrictEqual(
      decodeDlqEntry(encodeDlqEntry(full, ["a", "1"])),
      Result.succeed({ retry: full, event: ["a", "1"] })
    )
  })

  it.each([
    [{ attempt: -1 }],
    [{ attempt: 1_000 }],
    [{ set_aside: "bored" }],
    [{ partition: 1 }],
    [{ history: "none" }],
    [{ history: [{ ...attempt, status: undefined }] }],
    [{ history: [{ ...attempt, error_message: "x".repeat(201) }] }],
    [{ history: [{ ...attempt, duration_ms: -1 }] }]
  ])("that says %j does not decode", (more) => {
    assert(Result.isFailure(decoded(more)))
  })
})
