import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import type { AttemptResult, Failed } from "../../src/domain/delivery/attempt.ts"
import { afterAttempt, afterProbe, type Circuit, closed } from "../../src/domain/delivery/circuit.ts"
import { type DecideInput, decide as decideAfter } from "../../src/domain/delivery/decide.ts"
import { retryDelays, retrySchedule } from "../../src/domain/delivery/retry.ts"

const failure = (status: number | undefined, more: Partial<Failed> = {}): Failed => ({
  _tag: "Failed",
  errorCode: status === undefined ? "TIMEOUT" : `HTTP_${status}`,
  errorMessage: "no",
  status,
  retryAfterMs: undefined,
  ...more
})
const accepted: AttemptResult = { _tag: "Accepted", jobId: "1", creditsDeducted: 1 }
const base = { attemptsBefore: 0, circuitOpen: false, now: 1_000, rejectStatuses: new Set([400, 413, 422]) }

const decide = (input: Omit<DecideInput, "retryInMs">) =>
  decideAfter({ ...input, retryInMs: retryDelays[input.attemptsBefore] })

describe("the retry schedule", () => {
  it("is 5 s, 15 s, 45 s, read from the one Schedule", () => {
    assert.deepStrictEqual(retryDelays, [5_000, 15_000, 45_000])
  })

  it.effect("is a Schedule like any other", () =>
    Effect.gen(function* () {
      let runs = 0
      const effect = Effect.suspend(() => {
        runs += 1
        return Effect.fail("no")
      })
      const fiber = yield* Effect.forkChild(Effect.exit(Effect.retry(effect, retrySchedule)))
      yield* TestClock.adjust("64 seconds")
      assert.strictEqual(runs, 3)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.strictEqual(runs, 4)
      assert.isTrue(Schedule.isSchedule(retrySchedule))
    })
  )
})

describe("decide", () => {
  it("a success is delivered, whatever the circuit", () => {
    for (const circuitOpen of [true, false]) {
      assert.strictEqual(decide({ ...base, circuitOpen, result: accepted })._tag, "Delivered")
    }
  })

  it.each([
    [0, 5_000],
    [1, 15_000],
    [2, 45_000]
  ])("after %i attempts before, a failure waits %i ms", (attemptsBefore, delay) => {
    const decision = decide({ ...base, attemptsBefore, result: failure(500) })
    assert(decision._tag === "Retry")
    assert.strictEqual(decision.at, 1_000 + delay)
    assert.strictEqual(decision.attempts, attemptsBefore + 1)
  })

  it("the fourth failure is the last", () => {
    const decision = decide({ ...base, attemptsBefore: 3, result: failure(500) })
    assert(decision._tag === "Abandon")
    assert.strictEqual(decision.reason, "exhausted")
    assert.strictEqual(decision.attempts, 4)
  })

  it("Retry-After lengthens a delay and never shortens it", () => {
    const long = decide({ ...base, result: failure(503, { retryAfterMs: 60_000 }) })
    assert(long._tag === "Retry" && long.at === 61_000)
    const short = decide({ ...base, result: failure(503, { retryAfterMs: 1 }) })
    assert(short._tag === "Retry" && short.at === 6_000)
  })

  it("what no retry can mend is abandoned at once, also while the circuit is open", () => {
    for (const circuitOpen of [true, false]) {
      const decision = decide({ ...base, circuitOpen, result: failure(422) })
      assert(decision._tag === "Abandon" && decision.reason === "rejected" && decision.attempts === 1)
    }
    const retried = decide({ ...base, rejectStatuses: new Set(), result: failure(422) })
    assert.strictEqual(retried._tag, "Retry")
  })

  it("while the circuit is open a failure keeps its attempt count", () => {
    for (const attemptsBefore of [0, 1, 2, 3]) {
      assert.strictEqual(decide({ ...base, attemptsBefore, circuitOpen: true, result: failure(503) })._tag, "Hold")
    }
  })
})

describe("the circuit", () => {
  const fail = (circuit: Circuit, result: AttemptResult, eventId = "e", rejected = false) =>
    afterAttempt(circuit, { eventId, result, rejected, now: 1_000 })
  const times = (n: number, step: (circuit: Circuit, i: number) => Circuit, from: Circuit = closed) =>
    Array.from({ length: n }).reduce<Circuit>((circuit, _, i) => step(circuit, i), from)

  it.each([undefined, 401, 403, 404, 429, 502, 503, 504])("opens at ten failures in a row by %s", (status) => {
    const nine = times(9, (circuit) => fail(circuit, failure(status)))
    assert.strictEqual(nine._tag, "Closed")
    const ten = fail(nine, failure(status))
    assert(ten._tag === "Open")
    assert.strictEqual(ten.probeAt, 6_000)
  })

  it("another kind of failure, a rejection or a success breaks the row", () => {
    for (const [result, rejected] of [
      [failure(500), false],
      [failure(422), true],
      [accepted, false]
    ] as const) {
      const nine = times(9, (circuit) => fail(circuit, failure(503)))
      const broken = fail(nine, result, "e", rejected)
      assert.strictEqual(times(9, (circuit) => fail(circuit, failure(503)), broken)._tag, "Closed")
    }
  })

  it("opens at 50 failures of 50 different events, not of fewer", () => {
    const distinct = times(49, (circuit, i) => fail(circuit, failure(500), `e-${i}`))
    assert.strictEqual(distinct._tag, "Closed")
    assert.strictEqual(fail(distinct, failure(500), "e-0")._tag, "Closed")
    assert.strictEqual(fail(distinct, failure(500), "e-49")._tag, "Open")
    assert.strictEqual(times(500, (circuit, i) => fail(circuit, failure(500), `e-${i % 49}`))._tag, "Closed")
  })

  it("a success closes it, a failure leaves it open, and probes go after 5, 10, 20, 40, 60, 60 s", () => {
    let circuit = times(10, (before) => fail(before, failure(503)))
    const waits: Array<number> = []
    let now = 1_000
    for (let i = 0; i < 7; i++) {
      assert(circuit._tag === "Open")
      waits.push(circuit.probeAt - now)
      now = circuit.probeAt
      circuit = fail(afterProbe(circuit, now), failure(503))
    }
    assert.deepStrictEqual(waits, [5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000])
    assert.strictEqual(fail(circuit, accepted)._tag, "Closed")
  })
})
