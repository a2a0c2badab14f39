import { assert, describe, it } from "vitest"
import type { ReplicaFigures } from "../../src/domain/replicas/replicaFigures.ts"
import { type Situation, verdictOf } from "../../src/domain/replicas/verdict.ts"

const now = Date.parse("2026-01-31T14:00:00Z")

const replica = (more: Partial<ReplicaFigures> = {}): ReplicaFigures => ({
  consumer: "c-1",
  host: "host-1",
  version: "1.0.0",
  key_id: "a".repeat(16),
  started_at: now - 3_600_000,
  at: now,
  status: "ok",
  problems: [],
  in_flight: 3,
  permits: 64,
  held: 0,
  rate: 100,
  api_p50_ms: 80,
  api_p95_ms: 200,
  circuit: "closed",
  open_partitions: 0,
  next_probe_at: null,
  waits_until: null,
  config_version: 7,
  cpu: 0.2,
  memory_bytes: 90_000_000,
  ...more
})

const calm: Situation = {
  now,
  replicas: [replica()],
  pause: undefined,
  limit: undefined,
  backlog: 0,
  arriving: 10,
  delivered: 10,
  unread: [],
  unattended: [],
  abandoned: 0,
  remarks: []
}

const busy = [replica({ in_flight: 64 })]

const said = (more: Partial<Situation>) => {
  const { level, text } = verdictOf({ ...calm, ...more })
  return `${level}: ${text}`
}

describe("the verdict", () => {
  it("is good where what comes is delivered, and nothing is left to anybody", () => {
    assert.strictEqual(said({}), "good: keeping up")
    assert.strictEqual(said({ backlog: 60 }), "good: keeping up")
    assert.strictEqual(said({ abandoned: 1 }), "warning: keeping up; 1 event lies abandoned")
    assert.strictEqual(said({ abandoned: 1_937 }), "warning: keeping up; 1,937 events lie abandoned")
  })

  it("says when a backlog will be gone, and what keeps it from going sooner", () => {
    const backlog = { backlog: 36_000, delivered: 110, arriving: 10 }
    assert.strictEqual(said(backlog), "warning: backlog gone in 6 min")
    assert.strictEqual(
      said({ ...backlog, replicas: busy }),
      "warning: backlog gone in 6 min; bottleneck: permits 64/64, API p95 200 ms"
    )
    assert.strictEqual(
      said({ ...backlog, delivered: 100, arriving: 0, limit: { perSecond: 100, name: "limit 100/s" } }),
      "warning: backlog gone in 6 min; bottleneck: the rule limit 100/s"
    )
    assert.strictEqual(said({ ...backlog, backlog: 1_000 }), "warning: backlog gone in 10 s")
    assert.strictEqual(said({ ...backlog, backlog: 1_000_000 }), "warning: backlog gone in 2h 46m")
    assert.strictEqual(said({ ...backlog, arriving: undefined }), "warning: 36,000 events wait")
  })

  it("says that a backlog grows, stands, or is not delivered at all", () => {
    assert.strictEqual(
      said({ backlog: 5_000, delivered: 10, arriving: 12, replicas: busy }),
      "bad: backlog of 5,000 events grows by 120 a minute; bottleneck: permits 64/64, API p95 200 ms"
    )
    assert.strictEqual(said({ backlog: 5_000 }), "bad: backlog of 5,000 events does not shrink")
    assert.strictEqual(
      said({ backlog: 5_000, delivered: 0, replicas: [replica({ in_flight: 64, api_p95_ms: null })] }),
      "bad: 5,000 events wait and none is delivered; bottleneck: permits 64/64"
    )
    assert.strictEqual(said({ backlog: undefined }), "warning: events are delivered; Redis cannot tell how many wait")
  })

  it("says why nothing is read, whatever else may be", () => {
    const pause = { by: "anna" }
    assert.strictEqual(
      said({ replicas: [], backlog: 1_234 }),
      "bad: nothing is read: no replica runs; 1,234 events wait"
    )
    assert.strictEqual(
      said({ pause: { ...pause, until: now + 1_800_000 } }),
      "bad: nothing is read: paused until 14:30 UTC"
    )
    assert.strictEqual(
      said({ pause: { ...pause, until: now + 90_000_000 } }),
      "bad: nothing is read: paused until 2026-02-01T15:00:00.000Z"
    )
    assert.strictEqual(
      said({ pause, backlog: 1, abandoned: 2 }),
      "bad: nothing is read: paused until it is lifted, by anna; 1 event waits; 2 events lie abandoned"
    )
    const open = { circuit: "open", status: "degraded" } as const
    assert.strictEqual(
      said({ replicas: [replica({ ...open, next_probe_at: now + 12_000 }), replica(open)] }),
      "bad: nothing is read: the API's circuit is open, next probe in 12s"
    )
    assert.strictEqual(
      said({ replicas: [replica({ waits_until: now + 30_000 })] }),
      "bad: nothing is read: the API asked to wait for 30s"
    )
    assert.strictEqual(
      said({ replicas: [replica({ status: "down", problems: ["no signing"] })] }),
      "bad: nothing is read: no signing"
    )
    assert.strictEqual(said({ unread: ["a:stream"] }), "bad: nothing is read: a:stream: no group reads it")
  })

  it("names the replicas that deliver nothing beside others that do", () => {
    const open = replica({ consumer: "c-2", circuit: "open", status: "degraded" })
    assert.strictEqual(
      said({ replicas: [replica(), open, replica({ consumer: "c-3", status: "down", problems: ["Redis is away"] })] }),
      "warning: keeping up; 2 of 3 replicas deliver nothing: c-2: its circuit is open"
    )
  })

  it("is bad where events wait in a stream that no replica reads, however well the others do", () => {
    assert.strictEqual(
      said({ unattended: ["process"] }),
      "bad: events wait in process, which no replica reads; keeping up"
    )
  })

  it("takes in what else was found: before its own words where that is worse, after them otherwise", () => {
    const remark = { level: "warning", text: "retries are overdue by 5m" } as const
    assert.strictEqual(said({ remarks: [remark] }), "warning: retries are overdue by 5m; keeping up")
    assert.strictEqual(
      said({ remarks: [remark], abandoned: 1 }),
      "warning: keeping up; 1 event lies abandoned; retries are overdue by 5m"
    )
  })
})
