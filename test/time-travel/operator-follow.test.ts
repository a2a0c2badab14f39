/** What operators are told of events on their way: followed to their end, reported, erased. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { encodeAbandonedEntry, encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import { Redis } from "../../src/services/Redis.ts"
import { commandOn } from "../support/command-line.ts"
import { transcribeFields } from "../support/events.ts"
import { abandoned, addEvent, dlq, lengthOf, processing, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, travel, withCollector } from "../support/time-machine.ts"

const about = (origin: string, more: object = {}) =>
  ({
    reason: "exhausted",
    attempts: 4,
    origin_stream: origin,
    origin_id: "1-0",
    first_failed_at: 0,
    abandoned_at: 0,
    error_code: "HTTP_503",
    error_message: "OVERLOADED: request 17 | *shed*",
    ...more
  }) as const

describe("abandoned replay --wait", () => {
  it.effect("follows each event through its retries to its end, and fails where one was abandoned again", () => {
    const api = new ScriptedApi()
    let mended = false
    api.answer = ({ attempt, eventId }) =>
      mended && (eventId !== "slow" || attempt > 1) && eventId !== "bad" ? success : { status: 500 }
    return withCollector(api, { groupStartId: "0" }, (redis) =>
      Effect.gen(function* () {
        for (const id of ["good", "slow", "bad", "other"]) yield* addEvent(redis, id)
        yield* travel(80_000, 5_000)
        assert.strictEqual(yield* lengthOf(redis, abandoned), 4)
        mended = true
        const waits = yield* Effect.forkChild(
          commandOn(redis, "abandoned", "replay", "good", "slow", "bad", "--wait", "--yes")
        )
        yield* travel(10_000)
        assert.isUndefined(waits.pollUnsafe())
        // The last of four attempts is made after 65 s.
        yield* travel(70_000)
        const ran = yield* Fiber.join(waits)
        assert.deepStrictEqual(ran.out, ["3 replayed", "2 acknowledged, 1 abandoned again"])
        assert.strictEqual(ran.err.at(-1), "1 of 3 were abandoned again")
        assert.isFalse(ran.ok)
        const again = yield* Effect.forkChild(
          commandOn(redis, "abandoned", "replay", "other", "--wait", "--yes", "--json")
        )
        yield* travel(5_000)
        const { ok, out } = yield* Fiber.join(again)
        assert.deepStrictEqual([ok, JSON.parse(out[1] ?? "")], [true, { acknowledged: 1, abandoned_again: 0 }])
      })
    )
  })
})

describe("tail", () => {
  it.effect("has a line for each event as it ends, and for each failure on the way", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt, eventId }) =>
      eventId === "rejected" ? { status: 422 } : eventId === "slow" && attempt === 1 ? { status: 503 } : success
    const options = { groupStartId: "0", outcomeRetention: Duration.hours(1) }
    return withCollector(api, options, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "before")
        yield* travel(2_000)
        const follows = yield* Effect.forkChild(commandOn(redis, "tail", "--for", "30 seconds", "--json"))
        const mine = yield* Effect.forkChild(commandOn(redis, "tail", "--for", "30 seconds", "--user", "ann"))
        yield* travel(2_000)
        yield* addEvent(redis, "quick", { user_id: "ann" })
        yield* addEvent(redis, "slow")
        yield* addEvent(redis, "rejected\u001b[2J")
        yield* addEvent(redis, "rejected")
        yield* travel(40_000)
        const { err, ok, out } = yield* Fiber.join(follows)
        assert.isTrue(ok)
        assert.match(err[0] ?? "", /^following what is added from now on.* only with OUTCOME_RETENTION$/)
        const told = out.map((line) => JSON.parse(line)).map(({ event_id, what }) => `${event_id} ${what}`)
        assert.sameMembers(told, [
          "quick delivered",
          "slow waits",
          "slow delivered",
          "rejected abandoned",
          "rejected\u001b[2J abandoned"
        ])
        assert.isBelow(told.indexOf("slow waits"), told.indexOf("slow delivered"))
        const lines = (yield* Fiber.join(mine)).out
        assert.strictEqual(lines.length, 1)
        assert.match(
          lines[0] ?? "",
          /^\d\d:\d\d:\d\d {2}delivered {5}quick {2}job job-1, attempt 1, \ds after it was added$/
        )
      })
    )
  })
})

describe("report", () => {
  it.effect("is one page of Markdown that no entry can mark up, or JSON", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      yield* TestClock.setTime(Date.UTC(2026, 0, 31, 3))
      const now = yield* Clock.currentTimeMillis
      const give = (at: number, user: string, more: object = {}) =>
        redis.send(
          "XADD",
          abandoned,
          `${at}-0`,
          ...encodeAbandonedEntry(about(transcribe, more), transcribeFields(user, at, { user_id: user }))
        )
      for (let n = 0; n < 12; n++) yield* give(now - 3_600_000 + n, `u-${n}`)
      yield* give(now - 60_000, "<script>|x", { reason: "rejected", error_code: "HTTP_422" })
      const retry = { ...about(processing), attempt: 1, not_before: now, last_failed_at: now - 1_000 }
      yield* redis.send("XADD", dlq, `${now - 1_000}-0`, ...encodeDlqEntry(retry, transcribeFields("d", now)))
      yield* commandOn(redis, "abandoned", "drop", "u-0", "--yes", "--why", "test *data*", "--as", "ann")
      const { out } = yield* commandOn(redis, "report")
      assert.deepStrictEqual(out.slice(0, 18), [
        "# Incident report of 2026-01-31T03:00:00.000Z",
        "",
        "13 events of 13 users failed between 2026-01-31T02:00:00.001Z and 2026-01-31T02:59:59.000Z (59m 58s).",
        "12 were given up and stand in the abandoned stream; 1 still waits for a retry.",
        "What was replayed or deleted since is no longer counted; what was done is listed below.",
        "",
        "## Errors",
        "",
        "| error, ids and numbers as \\# | events | first | last |",
        "| --- | ---: | --- | --- |",
        "| HTTP\\_503 OVERLOADED: request \\# \\| \\*shed\\* | 12 | 2026-01-31T02:00:00.001Z | 2026-01-31T02:59:59.000Z |",
        "| HTTP\\_422 OVERLOADED: request \\# \\| \\*shed\\* | 1 | 2026-01-31T02:59:00.000Z | 2026-01-31T02:59:00.000Z |",
        "",
        "## Streams",
        "",
        "| stream | events | first | last |",
        "| --- | ---: | --- | --- |",
        "| modelsgateway:events:transcribe | 12 | 2026-01-31T02:00:00.001Z | 2026-01-31T02:59:00.000Z |"
      ])
      assert.include(out, "| and 3 more | | | |")
      assert.include(out.join("\n"), "| \\<script\\>\\|x | 1 |")
      assert.strictEqual(out.at(-1), "- 2026-01-31T03:00:00.000Z ann: abandoned drop u-0 (1): test \\*data\\*")
      const json = JSON.parse((yield* commandOn(redis, "report", "--json", "--reason", "rejected")).out.join(""))
      assert.deepInclude(json, { abandoned: 1, waiting: 0, users: 1, filter: "--reason rejected" })
      assert.deepStrictEqual((yield* commandOn(redis, "report", "--user", "nobody")).out.slice(-1), [
        "No event failed."
      ])
    }).pipe(Effect.provide(MemoryRedis.layer))
  )
})

describe("erase", () => {
  it.effect("removes a user's failures and nobody else's, and says what stays where", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      yield* TestClock.setTime(Date.UTC(2026, 0, 31, 3))
      const now = yield* Clock.currentTimeMillis
      for (const [id, user] of [
        ["e-1", "ann"],
        ["e-2", "ann"],
        ["e-3", "bob"]
      ] as const) {
        const fields = transcribeFields(id, now, { user_id: user })
        yield* redis.send("XADD", transcribe, "*", ...fields)
        yield* redis.send("XADD", abandoned, "*", ...encodeAbandonedEntry(about(transcribe), fields))
        const retry = { ...about(transcribe), attempt: 1, not_before: now, last_failed_at: now }
        yield* redis.send("XADD", dlq, "*", ...encodeDlqEntry(retry, fields))
      }
      yield* redis.send("XADD", processing, "*", "data", JSON.stringify({ event_id: "p-1", user_id: "ann" }))
      yield* redis.send("XADD", abandoned, "*", "junk", "1")
      const asked = yield* commandOn(redis, "erase", "--user", "ann")
      assert.deepStrictEqual(asked.err, [
        "Delete 4 events of this user for good? Pass --yes to do it without being asked"
      ])
      const dry = yield* commandOn(redis, "erase", "--user", "ann", "--dry-run")
      assert.include(dry.out, "  would be removed  2 abandoned, 2 waiting for a retry")
      const { out } = yield* commandOn(redis, "erase", "--user", "ann", "--yes", "--as", "dpo")
      assert.deepStrictEqual(out.slice(0, 2), [
        "Receipt of 2026-01-31T03:00:00.000Z, by dpo",
        "  user              ann"
      ])
      assert.deepStrictEqual(out.slice(3), [
        "  removed           2 abandoned, 2 waiting for a retry",
        `  left              2 entries in ${transcribe}, ${now}-0 to ${now}-1; 0 kept outcomes`,
        `  left              1 entry in ${processing}, ${now}-0 to ${now}-0; 0 kept outcomes`,
        "  not known         1 entry that cannot be read may be of any user",
        "Source streams belong to their producers, who trim them. What is not delivered yet may still fail and come to the DLQ:",
        "run this again when it has been."
      ])
      assert.strictEqual(yield* lengthOf(redis, abandoned), 2)
      assert.strictEqual(yield* lengthOf(redis, dlq), 1)
      const again = JSON.parse((yield* commandOn(redis, "erase", "--user", "ann", "--yes", "--json")).out.join(""))
      assert.deepInclude(again, { removed: { abandoned: 0, dlq: 0 }, unreadable: 1, user_id: "ann" })
      const noted = (yield* commandOn(redis, "audit", "list", "--json")).out
      assert.strictEqual(noted.length, 1)
      assert.match(JSON.parse(noted[0] ?? "").target, /^user sha256:[0-9a-f]{16}$/)
      assert.notInclude(noted.join(""), "ann")
    }).pipe(Effect.provide(MemoryRedis.layer))
  )

  it.effect("shows how far it is, and when stopped says what is done and notes that in the audit", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      for (const id of ["e-1", "e-2", "e-3", "e-4"])
        yield* redis.send("XADD", abandoned, "*", ...encodeAbandonedEntry(about(transcribe), transcribeFields(id, 0)))
      let removals = 0
      const stopping = Redis.of({
        ...redis,
        send: <A>(command: string, ...args: ReadonlyArray<string>) => {
          if (command !== "XDEL") return redis.send<A>(command, ...args)
          removals += 1
          return removals === 3
            ? Effect.interrupt
            : Effect.andThen(TestClock.adjust("6 seconds"), redis.send<A>(command, ...args))
        }
      })
      const { err, ok, out } = yield* commandOn(stopping, "erase", "--user", "user-1", "--yes")
      assert.isFalse(ok)
      assert.deepStrictEqual(out, [])
      assert.deepStrictEqual(err.slice(0, 3), [
        "removed 1 of 4 (25 %), 18s left",
        "removed 2 of 4 (50 %), 12s left",
        "stopped: 2 of 4 events removed; run the same command again to remove the rest"
      ])
      const [noted] = (yield* commandOn(redis, "audit", "list", "--json")).out
      assert.deepInclude(JSON.parse(noted ?? ""), { action: "erase", count: 2 })
      assert.include(
        (yield* commandOn(redis, "erase", "--user", "user-1", "--yes")).out.join("\n"),
        "removed           2 abandoned, 0 waiting for a retry"
      )
      assert.strictEqual(
        (yield* commandOn(redis, "erase", "--user", "user-1", "--yes")).out[0],
        "Neither the DLQ nor the abandoned stream has an event of this user."
      )
    }).pipe(Effect.provide(MemoryRedis.layer))
  )
})
