/** When an event is tried again, what pauses it, and what is kept of its attempts (contract section 5). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import type { Failed } from "../../src/domain/delivery/attempt.ts"
import { withAttempt } from "../../src/domain/delivery/history.ts"
import { Pauses } from "../../src/domain/delivery/pauses.ts"
import { mostAttempts, retryDelay } from "../../src/domain/delivery/retry.ts"

const failed: Failed = {
  _tag: "Failed",
  errorCode: "NETWORK",
  errorMessage: "",
  status: undefined,
  retryAfterMs: undefined
}

describe("retryDelay", () => {
  it.effect("ends with so many attempts, whatever the schedule", () =>
    Effect.gen(function* () {
      const endless = Schedule.spaced("1 second")
      assert.strictEqual(yield* retryDelay(endless, mostAttempts - 1, failed), 1_000)
      assert.strictEqual(yield* retryDelay(endless, mostAttempts, failed), undefined)
    })
  )

  it.effect("lets a schedule see the time that its own delays took", () =>
    Effect.gen(function* () {
      const brief = Schedule.spaced("10 seconds").pipe(Schedule.upTo({ duration: "25 seconds" }))
      assert.strictEqual(yield* retryDelay(brief, 2, failed), 10_000)
      assert.strictEqual(yield* retryDelay(brief, 5, failed), undefined)
    })
  )

  it.effect("takes a delay of more than a year for the end", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* retryDelay(Schedule.spaced("366 days"), 1, failed), undefined)
    })
  )
})

describe("pauses", () => {
  it("the longest of an event's partitions holds", () => {
    const pauses = new Pauses()
    const others = () => true
    assert.deepStrictEqual(pauses.told(["m1", "u1"], 300, 0, others), { field: 1, value: "u1" })
    assert.deepStrictEqual(pauses.told(["m1", "u2"], 100, 0, others), { field: 0, value: "m1" })
    assert.strictEqual(pauses.of(["m1", "u1"], 0)?.until, 300)
    assert.strictEqual(pauses.of(["m1", "u3"], 0)?.until, 100)
  })
})

describe("a history", () => {
  it("keeps the last sixteen attempts", () => {
    const attempt = (at: number) => ({
      at,
      error_code: "",
      error_message: "",
      status: 500,
      duration_ms: 1,
      consumer: "a"
    })
    const kept = Array.from({ length: 20 }, (_, at) => attempt(at)).reduce(
      withAttempt,
      [] as ReturnType<typeof withAttempt>
    )
    assert.deepStrictEqual(
      kept.map(({ at }) => at),
      Array.from({ length: 16 }, (_, n) => n + 4)
    )
  })
})
