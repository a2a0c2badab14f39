/** What an answer comes to, and what is read of the DLQ (contract sections 4 and 5). */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { attemptResult } from "../../src/domain/delivery/answer.ts"
import { clip, decodeDlqEntry, encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"

const answered = (status: number, body: string) => attemptResult({ status, body, retryAfterMs: undefined })

describe("an answer", () => {
  it("of a status from 200 to 299 alone is a success", () => {
    const body = '{"job_id":"1","credits_deducted":1}'
    assert.deepStrictEqual(
      [199, 200, 299, 300].map((status) => answered(status, body)._tag),
      ["Failed", "Accepted", "Accepted", "Failed"]
    )
  })

  it("says what was deducted, but for a job that is there already", () => {
    assert.deepInclude(answered(200, '{"job_id":"1"}'), { errorCode: "BAD_RESPONSE" })
    assert.deepInclude(answered(200, '{"job_id":"1","credits_deducted":1e999}'), { errorCode: "BAD_RESPONSE" })
    assert.strictEqual(answered(409, '{"job_id":"1"}')._tag, "Accepted")
  })
})

describe("an entry of the DLQ", () => {
  const entry = encodeDlqEntry(
    {
      attempt: 1,
      not_before: 1,
      origin_stream: "s",
      origin_id: "1-1",
      first_failed_at: 1,
      last_failed_at: 1,
      error_code: "",
      error_message: ""
    },
    ["event_id", "1"]
  )

  it("has two fields and no more", () => {
    assert.isTrue(Result.isSuccess(decodeDlqEntry(entry)))
    assert.isTrue(Result.isFailure(decodeDlqEntry([...entry, "more", "1"])))
  })

  it("keeps no half of a surrogate pair of a long message", () => {
    assert.strictEqual(clip(`${"x".repeat(1_023)}😀`), `${"x".repeat(1_023)}\uFFFD`)
  })
})
