/** How often an entry was handed out without an end (contract section 6), where Redis answers only after a while. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { transcribe as kind } from "../../src/domain/events/jobEvent.ts"
import { JobCollector } from "../../src/JobCollector.ts"
import { holdPending } from "../../src/programs/delivery/pendingRecovery.ts"
import type { CollectorRun } from "../../src/programs/delivery/state/collectorRun.ts"
import { OwnedEntries } from "../../src/programs/delivery/state/ownedEntries.ts"
import { freshEntry } from "../../src/programs/delivery/state/ownedEntry.ts"
import { scriptName } from "../../src/services/Scripts.ts"
import { World } from "../../src/testing/world/world.ts"
import { objectOf, transcribeFields } from "../support/events.ts"
import { abandoned, dlq, transcribe } from "../support/streams.ts"

/** More retries of u1 than there is room for, of whom one may run at a time. */
const options = {
  groupStartId: "0",
  isolateBy: ["user_id"],
  deliveryConcurrency: 2,
  dlqHold: 5,
  maxDeliveries: 2
} as const

const nameOf = (command: string, args: ReadonlyArray<string>): string =>
  command === "EVAL" ? (scriptName(args[0] ?? "") ?? command) : command

describe("a look at what is pending", () => {
  it.effect("does not take on what was forgotten before Redis's answer came: its count may be older", () =>
    Effect.gen(function* () {
      const stream = { label: "transcribe", key: transcribe, dlq, abandoned, kind }
      const owned = new OwnedEntries([stream])
      const run = { owned } as CollectorRun
      const entry = freshEntry(stream, "1-1", 0n)
      owned.run(entry)
      // Redis looks while 1-1 is worked on; by the time the answer comes it was given back, and left.
      const pending = [
        { id: "1-1", deliveries: 2 },
        { id: "2-1", deliveries: 1 }
      ]
      const late = Effect.sync(() => {
        owned.remove(entry)
        return pending
      })
      assert.strictEqual((yield* holdPending(run, stream, late)).held, 1)
      assert.isFalse(owned.has(stream, "1-1"))
      assert.isTrue(owned.has(stream, "2-1"))
      assert.strictEqual((yield* holdPending(run, stream, Effect.succeed(pending))).held, 1, "another look finds it")
    })
  )
})

describe("retries of a user who has its share, more than there is room for", () => {
  it("are looked for ten times a second at most, while none of them may go on", () => {
    const seen = new Set<string>()
    const counts = new Map<string, number>()
    const count = (_process: unknown, command: string, args: ReadonlyArray<string>): void => {
      if (world.elapsed < 15_000 || !args.includes(dlq)) return
      const name = nameOf(command, args)
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    const world = new World({
      seed: 1,
      app: () => JobCollector.layer({ apiBaseUrl: "http://api.test", ...options }),
      watchers: [{ onCommand: count }],
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
    world.run("16 seconds")
    assert.strictEqual(world.entries(abandoned).length, 0)
    assert.isAbove(counts.get("XPENDING") ?? 0, 0)
    // A page each time, and then that there is no other.
    assert.isAtMost(counts.get("XPENDING") ?? 0, 25)
    assert.isAtMost((counts.get("XRANGE") ?? 0) + (counts.get("take") ?? 0), 150)
  })
})
