/** What a replica finds pending under its own name is its own at once, however much of it there is. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import type { Redis } from "../../src/services/Redis.ts"
import { processFields, transcribeFields } from "../support/events.ts"
import { group, pendingCount, processing, transcribe } from "../support/streams.ts"
import { ScriptedApi, travel, withCollector } from "../support/time-machine.ts"

const fieldsOf = {
  [transcribe]: transcribeFields,
  [processing]: processFields
} as const
const streams = Object.keys(fieldsOf) as ReadonlyArray<keyof typeof fieldsOf>
const consumerName = "replica-1"
/** More than one page of a re-read on each stream. */
const each = 250

/** Hands entries to the name that the collector is going to have, as a process before it would have been given them. */
const leaveBehind = (redis: Redis["Service"]) =>
  Effect.forEach(streams, (stream) =>
    Effect.gen(function* () {
      yield* redis.send("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
      const now = yield* Clock.currentTimeMillis
      for (let n = 1; n <= each; n++) {
        yield* redis.send("XADD", stream, "*", ...fieldsOf[stream](`${stream}-${n}`, now))
      }
      yield* redis.send("XREADGROUP", "GROUP", group, consumerName, "COUNT", String(each), "STREAMS", stream, ">")
    })
  )

describe("own pending entries", () => {
  it.effect("that found no room are read again as soon as there is some, not when they have become idle", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 200, body: { job_id: "job-1", credits_deducted: 58 }, delay: 10 })
    return withCollector(
      api,
      { consumerName, deliveryConcurrency: 4 },
      (redis) =>
        Effect.gen(function* () {
          yield* travel(10_000, 50)
          const pending = yield* Effect.forEach(streams, (stream) => pendingCount(redis, stream))
          assert.deepStrictEqual(pending, [0, 0])
          assert.strictEqual(new Set(api.delivered).size, streams.length * each)
          assert.strictEqual(api.attempts.length, streams.length * each)
        }),
      leaveBehind
    )
  })
})
