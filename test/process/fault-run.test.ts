import { assert, it } from "@effect/vitest"
import { describeReport, isGood, runFaults } from "./fault-run.ts"

it("a short seeded fault run: everything at once, nothing lost, nothing charged twice", async () => {
  const report = await runFaults({
    seed: 7,
    events: 800,
    trafficMs: 5_000,
    planned: [
      { at: 500, fault: { kind: "kill", replica: 0, forMs: 300 } },
      { at: 800, fault: { kind: "api", how: "answers lost", forMs: 700 } },
      { at: 1_000, fault: { kind: "pause", replica: 1, forMs: 3_000 } },
      { at: 1_500, fault: { kind: "connection", replica: 2, mode: "black-hole", forMs: 600 } },
      { at: 2_200, fault: { kind: "redis restart", forMs: 500 } },
      { at: 3_000, fault: { kind: "api", how: "503", forMs: 500 } },
      { at: 3_500, fault: { kind: "connection", replica: 2, mode: "drop", forMs: 300 } },
      { at: 4_000, fault: { kind: "leave", replica: 2, forMs: 300 } }
    ],
    drainMs: 60_000
  })
  assert.isTrue(isGood(report), describeReport(report))
  assert.strictEqual(report.account.produced, 800)
}, 180_000)
