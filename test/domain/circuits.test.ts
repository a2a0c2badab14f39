/** Whose fault a row of failures is (contract section 6, "One cannot stop all"). */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import type { AttemptResult } from "../../src/domain/delivery/attempt.ts"
import { Circuits } from "../../src/domain/delivery/circuits.ts"
import { Pauses } from "../../src/domain/delivery/pauses.ts"

const accepted: AttemptResult = { _tag: "Accepted", jobId: "1", creditsDeducted: 1 }
const failure = (errorCode: string, status?: number): AttemptResult => ({
  _tag: "Failed",
  errorCode,
  errorMessage: "no",
  status,
  retryAfterMs: undefined
})

type Outcome = "ok" | "timeout" | "503" | "500" | "network" | "422"
const results: Record<Outcome, AttemptResult> = {
  ok: accepted,
  timeout: failure("TIMEOUT"),
  503: failure("HTTP_503", 503),
  500: failure("HTTP_500", 500),
  network: failure("NETWORK"),
  422: failure("HTTP_422", 422)
}

/** So many outcomes, one after the other: `model/user outcome`; a model or user that is named `*` is another each time. */
type Step = readonly [times: number, from: string, outcome: Outcome, waitMs?: number]

const fields = ["model", "user_id"]

/** What opened and closed, in order. */
const play = (steps: ReadonlyArray<Step>, breaker = true): ReadonlyArray<string> => {
  const circuits = new Circuits(breaker, fields.length)
  const seen: Array<string> = []
  let now = 0
  let events = 0
  for (const [times, from, outcome, waitMs = 0] of steps) {
    now += waitMs
    for (let i = 0; i < times; i++) {
      now += 10
      events += 1
      const values = from.split("/").map((value) => (value === "*" ? `v${i}` : value === "" ? undefined : value))
      const attempt = { eventId: `e-${events}`, result: results[outcome], rejected: outcome === "422", now }
      for (const { change, partition } of circuits.record(attempt, values)) {
        seen.push(`${partition === undefined ? "api" : `${fields[partition.field]}=${partition.value}`} ${change}`)
      }
    }
  }
  return seen
}

describe("who opens", () => {
  const cases: ReadonlyArray<readonly [title: string, steps: ReadonlyArray<Step>, opened: ReadonlyArray<string>]> = [
    ["nine failures", [[9, "*/*", "503"]], []],
    ["ten failures across models and users", [[10, "*/*", "503"]], ["api opened"]],
    ["ten of one user and model, where nobody is known to succeed", [[10, "m1/u1", "timeout"]], ["api opened"]],
    ["ten of one model and many users, where nobody is known to succeed", [[10, "m1/*", "503"]], ["api opened"]],
    [
      "ten of one model while others succeed",
      [
        [1, "m2/u9", "ok"],
        [10, "m1/*", "503"]
      ],
      ["model=m1 opened"]
    ],
    [
      "ten of one user in many models while others succeed",
      [
        [1, "m1/u2", "ok"],
        [10, "*/u1", "503"]
      ],
      ["user_id=u1 opened"]
    ],
    [
      "ten of one user in one model, whose other users succeed",
      [
        [1, "m1/u2", "ok"],
        [10, "m1/u1", "timeout"]
      ],
      ["user_id=u1 opened"]
    ],
    [
      "ten of one user in a model that nobody else uses, while others succeed",
      [
        [1, "m2/u2", "ok"],
        [10, "m1/u1", "timeout"]
      ],
      ["model=m1 opened"]
    ],
    [
      "a model that fails for its only user, who succeeds with another",
      [
        [1, "m2/u1", "ok"],
        [10, "m1/u1", "503"]
      ],
      ["model=m1 opened"]
    ],
    [
      "ten of one model, the others' last success more than a minute before",
      [
        [1, "m2/u9", "ok"],
        [10, "m1/*", "503", 60_000]
      ],
      ["api opened"]
    ],
    [
      "the others' successes between break the API's row, not the model's",
      Array.from(
        { length: 10 },
        (_, i): ReadonlyArray<Step> => [
          [1, `m1/u${i}`, "503"],
          [1, "m2/u9", "ok"]
        ]
      ).flat(),
      ["model=m1 opened"]
    ],
    [
      "a model that fails one time in twenty",
      Array.from(
        { length: 100 },
        (): ReadonlyArray<Step> => [
          [1, "m1/u1", "timeout"],
          [1, "m1/u1", "ok"],
          [18, "m1/u2", "ok"]
        ]
      ).flat(),
      []
    ],
    [
      "50 different events of one user failing in ways that are no outage, while others succeed",
      [
        [1, "m1/u2", "ok"],
        [50, "m1/u1", "500"]
      ],
      ["user_id=u1 opened"]
    ],
    [
      "connections that cannot be made, all of one user's",
      [
        [1, "m1/u2", "ok"],
        [10, "m1/u1", "network"]
      ],
      ["api opened"]
    ],
    [
      "connections that cannot be made, of a user whose circuit is open",
      [
        [1, "m1/u2", "ok"],
        [10, "m1/u1", "timeout"],
        [10, "m1/u1", "network"]
      ],
      ["user_id=u1 opened", "api opened"]
    ],
    [
      "failures of a user whose circuit is open count for nobody else",
      [
        [1, "m1/u2", "ok"],
        [100, "m1/u1", "timeout"],
        [9, "m1/u3", "timeout"]
      ],
      ["user_id=u1 opened"]
    ],
    [
      "an outage that begins with ten of one model: the second model's are the API's",
      [
        [1, "m1/u1", "ok"],
        [1, "m2/u2", "ok"],
        [10, "m1/*", "503"],
        [10, "m2/*", "503"]
      ],
      ["model=m1 opened", "api opened"]
    ],
    [
      "a second model that fails while a third succeeds",
      [
        [1, "m3/u1", "ok"],
        [10, "m1/*", "503"],
        [1, "m3/u1", "ok"],
        [10, "m2/*", "503"]
      ],
      ["model=m1 opened", "model=m2 opened"]
    ],
    [
      "what lacks a model is confined to none",
      [
        [1, "m2/u9", "ok"],
        [9, "m1/*", "503"],
        [1, "/u10", "503"]
      ],
      ["api opened"]
    ],
    [
      "what no retry can mend breaks every row",
      [
        [1, "m2/u9", "ok"],
        [9, "m1/*", "503"],
        [1, "m1/u1", "422"],
        [9, "m1/*", "503"]
      ],
      []
    ],
    [
      "a success closes what it belongs to",
      [
        [1, "m1/u2", "ok"],
        [10, "m1/u1", "timeout"],
        [1, "m1/u2", "ok"],
        [1, "m1/u1", "ok"]
      ],
      ["user_id=u1 opened", "user_id=u1 closed"]
    ],
    [
      "partitions start anew when the API's circuit opens",
      [
        [1, "m1/u2", "ok"],
        [10, "m1/u1", "timeout"],
        [10, "*/*", "503", 60_000],
        [1, "m1/u1", "ok"],
        [9, "m1/u1", "timeout"]
      ],
      ["user_id=u1 opened", "api opened", "api closed"]
    ]
  ]
  it.each(cases)("%s", (_title, steps, changes) => assert.deepStrictEqual(play(steps), changes))

  it("nobody, where the breaker is off", () => assert.deepStrictEqual(play([[60, "*/*", "503"]], false), []))
})

describe("a partition's probes", () => {
  it("go after 5, 10, 20, 40, 60, 60 s", () => {
    const circuits = new Circuits(true, 2)
    const record = (result: AttemptResult, values: ReadonlyArray<string>, now: number) =>
      circuits.record({ eventId: `e-${now}`, result, rejected: false, now }, values)
    record(accepted, ["m1", "u2"], 0)
    for (let i = 0; i < 10; i++) record(results.timeout, ["m1", "u1"], 1_000)
    const waits: Array<number> = []
    let now = 1_000
    for (let i = 0; i < 6; i++) {
      const open = circuits.openOf(1, "u1")
      assert(open !== undefined)
      waits.push(open.probeAt - now)
      now = open.probeAt
      circuits.probed(["m1", "u1"], now)
      record(results.timeout, ["m1", "u1"], now)
    }
    assert.deepStrictEqual(waits, [5_000, 10_000, 20_000, 40_000, 60_000, 60_000])
    assert.isUndefined(circuits.openOf(0, "m1"))
    assert.isUndefined(circuits.apiOpen)
  })
})

/** What is in use when the garbage is out. */
const heapBytes = (): number => {
  setFlagsFromString("--expose-gc")
  runInNewContext("gc")()
  return process.memoryUsage().heapUsed
}

describe("memory for partitions", () => {
  const circuits = new Circuits(true, 2)
  const record = (result: AttemptResult, user: string, now: number) =>
    circuits.record({ eventId: user, result, rejected: false, now }, ["m1", user])

  it("is taken by those that fail, and given back with a success", () => {
    for (let i = 0; i < 20_000; i++) record(accepted, `u${i}`, i)
    assert.strictEqual(circuits.size, 1, "the model")
    for (let i = 0; i < 100; i++) {
      record(results.timeout, `u${i}`, 30_000)
      record(accepted, "u", 30_000)
    }
    assert.strictEqual(circuits.size, 101)
    for (let i = 0; i < 100; i++) record(accepted, `u${i}`, 30_000)
    assert.strictEqual(circuits.size, 1)
  })

  it("is bounded, however many fail and are never heard of again", () => {
    for (let i = 0; i < 50_000; i++) {
      record(results.timeout, `x${i}`, 40_000)
      record(accepted, "u", 40_000)
    }
    assert.isAtMost(circuits.size, 10_001)
    for (let i = 0; i < 20_000; i++) {
      record(results.timeout, `y${i % 100}-${i}`, 40_000 + i * 1_000)
      record(accepted, "u", 40_000 + i * 1_000)
    }
    assert.isAtMost(circuits.size, 1_300, "those of the last ten minutes, and some that are to be looked at")
  })

  it("of 10,000 users whose circuits are open is below 20 MB", () => {
    const open = new Circuits(true, 2)
    const before = heapBytes()
    for (let user = 0; user < 10_000; user++) {
      const values = ["m1", `user-${user}`]
      for (let failed = 0; failed < 10; failed++) {
        open.record({ eventId: `e-${failed}`, result: results.timeout, rejected: false, now: 1_000 + user }, values)
        open.record({ eventId: "e", result: accepted, rejected: false, now: 1_000 + user }, ["m1", "u"])
      }
    }
    assert.isBelow(heapBytes() - before, 20_000_000)
    assert.strictEqual(open.open, 10_000)
  })
})

describe("what a 429 pauses", () => {
  const told = (others: boolean, ...values: ReadonlyArray<ReadonlyArray<string | undefined>>) => {
    const pauses = new Pauses()
    let last: ReturnType<Pauses["told"]>
    for (const value of values) last = pauses.told(value, 1_000, 0, () => others)
    return last
  }
  const cases: ReadonlyArray<readonly [string, ReturnType<typeof told>, ReturnType<typeof told>]> = [
    ["everything, where nobody else succeeds", told(false, ["m1", "u1"]), undefined],
    ["the narrowest partition while others succeed", told(true, ["m1", "u1"]), { field: 1, value: "u1" }],
    ["the one it has", told(true, ["m1", undefined]), { field: 0, value: "m1" }],
    ["everything, where it has none", told(true, [undefined, undefined]), undefined],
    ["the same again", told(true, ["m1", "u1"], ["m2", "u1"]), { field: 1, value: "u1" }],
    ["what two share", told(true, ["m1", "u1"], ["m1", "u2"]), { field: 0, value: "m1" }],
    ["everything, where two share nothing", told(true, ["m1", "u1"], ["m2", "u2"]), undefined]
  ]
  it.each(cases)("%s", (_title, partition, expected) => assert.deepStrictEqual(partition, expected))

  it("ends at its time, and the longest of several counts", () => {
    const pauses = new Pauses()
    pauses.told(["m1", "u1"], 5_000, 0, () => true)
    pauses.told(["m1", "u1"], 3_000, 0, () => true)
    assert.strictEqual(pauses.of(["m2", "u1"], 4_999)?.until, 5_000)
    assert.isUndefined(pauses.of(["m2", "u1"], 5_000))
    assert.isUndefined(pauses.of(["m1", "u2"], 0))
  })
})
