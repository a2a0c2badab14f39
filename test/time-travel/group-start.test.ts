import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestConsole } from "effect/testing"
import * as Logging from "../../src/layers/telemetry/Logging.ts"
import type { Redis } from "../../src/services/Redis.ts"
import { commandOn } from "../support/command-line.ts"
import { addEvent } from "../support/streams.ts"
import { ScriptedApi, travel, withCollector } from "../support/time-machine.ts"

const verdict = (redis: Redis["Service"], eventId: string) =>
  Effect.map(commandOn(redis, "why", eventId, "--json"), ({ out }) => JSON.parse(out.join("\n")).verdict)

/** What the service said of entries before its groups' starts. */
const skipped = Effect.map(TestConsole.logLines, (lines) =>
  lines
    .map((line) => JSON.parse(String(line)))
    .filter(({ message }) => message === "group.skips_entries")
    .map(({ annotations }) => annotations)
)

const hundred = (redis: Redis["Service"]) =>
  Effect.forEach(Array.from({ length: 100 }), (_, i) => addEvent(redis, `early-${i}`), { discard: true })

describe("a group that starts behind entries", () => {
  it.effect("is said to pass over them, and why knows them from what was delivered", () => {
    const api = new ScriptedApi()
    return withCollector(
      api,
      {},
      (redis) =>
        Effect.gen(function* () {
          yield* addEvent(redis, "late")
          yield* travel(5_000)
          assert.deepStrictEqual(
            api.attempts.map(({ eventId }) => eventId),
            ["late"]
          )
          const [said, ...more] = yield* skipped
          assert.lengthOf(more, 0)
          assert.strictEqual(said?.entries, 100)
          assert.include(said?.remedy, "GROUP_START_ID=0")
          assert.include(yield* verdict(redis, "early-7"), "it was skipped: it lies before the start")
          assert.include(yield* verdict(redis, "late"), "it was acknowledged")
        }),
      hundred
    ).pipe(Effect.provide(Logging.layer({ level: "Info", format: "json" })))
  })

  it.effect("passes over none with GROUP_START_ID=0, and says nothing", () => {
    const api = new ScriptedApi()
    return withCollector(
      api,
      { groupStartId: "0" },
      (redis) =>
        Effect.gen(function* () {
          yield* travel(5_000)
          assert.strictEqual(api.attempts.length, 100)
          assert.deepStrictEqual(yield* skipped, [])
          assert.include(yield* verdict(redis, "early-7"), "it was acknowledged")
        }),
      hundred
    ).pipe(Effect.provide(Logging.layer({ level: "Info", format: "json" })))
  })
})
