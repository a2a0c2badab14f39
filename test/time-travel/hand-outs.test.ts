/** How often an entry was handed out without an end (contract section 6), where Redis answers only after a while. */
import { assert, describe, it } from "@effect/vitest"
import { JobCollector } from "../../src/JobCollector.ts"
import { World } from "../../src/testing/world/world.ts"
import { objectOf, transcribeFields } from "../support/events.ts"
import { abandoned, transcribe } from "../support/streams.ts"

describe("retries of a user who has its share, more than there is room for", () => {
  it("are never taken for poison, though Redis is asked what is pending while they are looked at", () => {
    const seen = new Set<string>()
    const world = new World({
      seed: 1,
      app: () =>
        JobCollector.layer({
          apiBaseUrl: "http://api.test",
          groupStartId: "0",
          isolateBy: ["user_id"],
          deliveryConcurrency: 2,
          dlqHold: 5,
          maxDeliveries: 3
        }),
      host: ({ headers, path }) => {
        if (path !== "/api/jobs/add") return { status: 404 }
        const eventId = headers["idempotency-key"] ?? ""
        const isSlow = eventId.startsWith("u1.")
        // Each of them fails once, so that it comes to the DLQ.
        if (isSlow && !seen.has(eventId)) {
          seen.add(eventId)
          return { status: 500, afterMs: 5 }
        }
        return { status: 200, afterMs: isSlow ? 200 : 5, body: { job_id: eventId, credits_deducted: 0 } }
      }
    })
    const add = (eventId: string, user: string) =>
      world.add(transcribe, objectOf(transcribeFields(eventId, world.now, { user_id: user })))
    for (let n = 0; n < 60; n++) world.at(5_000 + n * 100, () => add(`u1.${n}`, "u1"))
    for (let n = 0; n < 100; n++) world.at(5_000 + n * 300, () => add(`u2.${n}`, "u2"))
    world.run("15 seconds")
    assert.strictEqual(world.entries(abandoned).length, 0)
  })
})
