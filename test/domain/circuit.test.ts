/** One circuit: what counts towards its opening, and what does not (contract section 6). */
import { assert, describe, it } from "@effect/vitest"
import type { AttemptResult } from "../../src/domain/delivery/attempt.ts"
import { afterAttempt, type Circuit, closed } from "../../src/domain/delivery/circuit.ts"
import { Circuits } from "../../src/domain/delivery/circuits.ts"

const failure = (status: number | undefined, errorCode = `HTTP_${status}`): AttemptResult => ({
  _tag: "Failed",
  errorCode,
  errorMessage: "no",
  status,
  retryAfterMs: undefined
})

/** After failed attempts, each of another event where none is named. */
const circuitAfter = (results: ReadonlyArray<AttemptResult>, eventId?: string): Circuit =>
  results.reduce<Circuit>(
    (circuit, result, now) => afterAttempt(circuit, { eventId: eventId ?? `e-${now}`, result, rejected: false, now }),
    closed
  )

const times = (count: number, result: AttemptResult): ReadonlyArray<AttemptResult> => Array(count).fill(result)

describe("a circuit", () => {
  it.each([401, 403, 404, 429, 502, 503, 504])("opens after ten answers with status %i", (status) => {
    assert.strictEqual(circuitAfter(times(9, failure(status)))._tag, "Closed")
    assert.strictEqual(circuitAfter(times(10, failure(status)))._tag, "Open")
  })

  it("counts a row anew after a failure that is no outage's", () => {
    assert.strictEqual(
      circuitAfter([...times(9, failure(503)), failure(500), ...times(9, failure(503))])._tag,
      "Closed"
    )
  })

  it("does not open for one event that fails again and again", () => {
    assert.strictEqual(circuitAfter(times(60, failure(500)), "the same")._tag, "Closed")
    assert.strictEqual(circuitAfter(times(50, failure(500)))._tag, "Open")
  })

  it("stays as it is while it is open, whatever fails", () => {
    const open = circuitAfter(times(10, failure(503)))
    const attempt = { eventId: "late", result: failure(undefined, "TIMEOUT"), rejected: false, now: 100 }
    assert.strictEqual(afterAttempt(open, attempt), open)
  })
})

describe("the circuits of partitions", () => {
  const fail = (circuits: Circuits, from: number) => {
    for (let i = 0; i < 10; i++) {
      const attempt = { eventId: `e-${from + i}`, result: failure(503), rejected: false, now: from + i }
      for (const { change, partition } of circuits.record(attempt, ["m1", "u1"])) return `${partition?.value} ${change}`
    }
    return "nothing"
  }
  const succeed = (circuits: Circuits, user: string, now: number) =>
    circuits.record(
      {
        eventId: "good",
        result: { _tag: "Accepted", jobId: "1", creditsDeducted: 1 },
        rejected: false,
        now
      },
      ["m1", user]
    )

  it("one that opens again is to blame again: that it opened before says nothing of others", () => {
    const circuits = new Circuits(true, 2)
    succeed(circuits, "u2", 0)
    assert.strictEqual(fail(circuits, 100), "u1 opened")
    assert.strictEqual(circuits.open, 1)
    succeed(circuits, "u1", 200)
    assert.strictEqual(circuits.open, 0)
    assert.strictEqual(fail(circuits, 300), "u1 opened")
  })
})

describe("the API's circuit", () => {
  it("has made no probe where what was let through may not run", () => {
    const circuits = new Circuits(true, 0)
    for (let now = 0; now < 10; now++) {
      circuits.record({ eventId: `e-${now}`, result: failure(503), rejected: false, now }, [])
    }
    circuits.probedApi(6_000)
    assert.strictEqual(circuits.apiOpen?.probes, 1)
    circuits.notProbedApi(6_001)
    assert.deepInclude(circuits.apiOpen, { probes: 0, probeAt: 6_001 })
  })
})
