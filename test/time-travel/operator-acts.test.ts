/** What operators do to events that wait or were given up, while replicas work on them. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import { encodeAbandonedEntry, encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import { Redis } from "../../src/services/Redis.ts"
import { commandOn } from "../support/command-line.ts"
import { transcribeFields } from "../support/events.ts"
import { abandoned, addEvent, dlq, lengthOf, pendingCount, transcribe } from "../support/streams.ts"
import { ScriptedApi, settle, success, travel, withCollector } from "../support/time-machine.ts"

const run = (redis: Redis["Service"], ...args: ReadonlyArray<string>) => commandOn(redis, ...args)

const audited = (redis: Redis["Service"]) =>
  Effect.map(run(redis, "audit", "list", "--json"), ({ out }) =>
    out.filter((line) => line !== "").map((line) => JSON.parse(line))
  )

describe("dlq retry", () => {
  it.effect("makes held entries due at once: each is delivered once, its attempts and all else kept", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt }) => (attempt < 3 ? { status: 500, body: { error_code: "BROKEN" } } : success)
    return withCollector(api, { groupStartId: "0" }, (redis) =>
      Effect.gen(function* () {
        for (const id of ["e-1", "e-2", "e-3"]) yield* addEvent(redis, id)
        // The first attempt at once, the second 5 s later: by 6 s all are held until 20 s.
        yield* travel(6_000)
        assert.strictEqual(api.attempts.length, 6)
        const before = (yield* run(redis, "dlq", "list", "--json")).out.map((line) => JSON.parse(line))
        const dry = yield* run(redis, "dlq", "retry", "--all", "--dry-run")
        assert.strictEqual(dry.out.at(-1), "would be: 3 retried")
        const refused = yield* run(redis, "dlq", "retry", "--event-id", "e-1")
        assert.deepStrictEqual(refused.err, [
          "Retry 1 event that matches --event-id e-1? Pass --yes to do it without being asked"
        ])
        assert.deepStrictEqual((yield* run(redis, "dlq", "retry", "e-1", "e-2", "--yes", "--why", "API mended")).out, [
          "2 retried"
        ])
        const after = (yield* run(redis, "dlq", "list", "--json")).out.map((line) => JSON.parse(line))
        const now = yield* Clock.currentTimeMillis
        for (const { event, event_id, retry } of after) {
          const old = before.find((entry) => entry.event_id === event_id)
          assert.deepStrictEqual(event, old.event)
          assert.deepStrictEqual(retry, { ...old.retry, not_before: event_id === "e-3" ? old.retry.not_before : now })
        }
        yield* travel(1_000)
        assert.deepStrictEqual(api.delivered, ["e-1", "e-2"])
        yield* travel(60_000)
        assert.deepStrictEqual(api.delivered, ["e-1", "e-2", "e-3"])
        assert.strictEqual(api.attempts.length, 9)
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
        const [noted] = yield* audited(redis)
        assert.deepInclude(noted, { action: "dlq retry", filter: "e-1 e-2", count: 2, why: "API mended" })
      })
    )
  })

  it.effect("leaves alone what may be worked on, and never doubles it", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt }) => ({ ...(attempt === 1 ? { status: 500 } : success), delay: attempt === 1 ? 0 : 8_000 })
    return withCollector(api, { groupStartId: "0" }, (redis) =>
      Effect.gen(function* () {
        yield* addEvent(redis, "e-1")
        yield* travel(1_000)
        // Due in 4 s, and then for 8 s under way.
        for (const wait of [0, 3_000, 3_000, 3_000]) {
          yield* travel(wait)
          const ran = yield* run(redis, "dlq", "retry", "--all", "--yes")
          assert.deepStrictEqual([ran.ok, ran.out], [true, ["0 retried, 1 due already, left alone"]])
        }
        yield* travel(10_000)
        assert.deepStrictEqual(
          api.attempts.map(({ attempt }) => attempt),
          [1, 2]
        )
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
      })
    )
  })

  it.effect("of what no replica has read, of what is no retry, and of what was acknowledged and not deleted", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      const now = yield* Clock.currentTimeMillis
      const retry = {
        attempt: 1,
        not_before: now + 60_000,
        origin_stream: transcribe,
        origin_id: "1-0",
        first_failed_at: now,
        last_failed_at: now,
        error_code: "TIMEOUT",
        error_message: "late"
      }
      const add = (id: string) =>
        redis.send<string>("XADD", dlq, "*", ...encodeDlqEntry(retry, transcribeFields(id, now)))
      const settled = yield* add("settled")
      yield* redis.send("XGROUP", "CREATE", dlq, "job-collector-group", "0")
      yield* redis.send("XREADGROUP", "GROUP", "job-collector-group", "c", "STREAMS", dlq, ">")
      yield* redis.send("XACK", dlq, "job-collector-group", settled)
      yield* add("unread")
      yield* redis.send("XADD", dlq, "*", "junk", "1")
      assert.deepStrictEqual((yield* run(redis, "dlq", "retry", "--all", "--yes")).out, [
        "1 retried, 1 ended already, left alone, 1 unreadable, left in place"
      ])
      assert.deepStrictEqual((yield* run(redis, "dlq", "drop", "--all", "--yes")).out, ["3 dropped"])
      assert.strictEqual(yield* lengthOf(redis, dlq), 0)
    }).pipe(Effect.provide(MemoryRedis.layer))
  )
})

describe("dlq drop", () => {
  it.effect("takes held entries from their replica: they are not tried again", () => {
    const api = new ScriptedApi()
    api.answer = ({ eventId }) => (eventId === "bad" ? { status: 500 } : success)
    return withCollector(api, { groupStartId: "0" }, (redis) =>
      Effect.gen(function* () {
        for (const id of ["bad", "good"]) yield* addEvent(redis, id)
        yield* travel(2_000)
        assert.deepStrictEqual((yield* run(redis, "dlq", "drop", "--user", "user-1", "--yes")).out, ["1 dropped"])
        yield* travel(120_000)
        assert.strictEqual(api.instants("bad").length, 1)
        assert.strictEqual(yield* pendingCount(redis, dlq), 0)
        assert.strictEqual(yield* lengthOf(redis, abandoned), 0)
      })
    )
  })
})

describe("export and import", () => {
  const folder = Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "job-collector-export-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  const contents = (redis: Redis["Service"], stream: string) =>
    Effect.map(
      redis.send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>("XRANGE", stream, "-", "+"),
      (entries) => entries.map(([, fields]) => fields)
    )

  it.effect("put back to the letter what was dropped, once however often, and only from a file that is whole", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      const file = join(yield* folder, "dropped.ndjson")
      const bytes = "caf\udce9\u001b[2J\u2028"
      yield* redis.send("XADD", abandoned, "*", "junk", bytes)
      yield* redis.send("XADD", abandoned, "*", "junk", bytes)
      for (const id of ["e-1", "e-2"]) {
        const said = {
          reason: "exhausted",
          attempts: 4,
          origin_stream: transcribe,
          origin_id: "1-0",
          first_failed_at: 0,
          abandoned_at: 0,
          error_code: "HTTP_500",
          error_message: bytes
        } as const
        yield* redis.send("XADD", abandoned, "*", ...encodeAbandonedEntry(said, transcribeFields(id, 0)))
      }
      const before = yield* contents(redis, abandoned)
      assert.deepStrictEqual(yield* run(redis, "abandoned", "drop", "--all", "--yes", "--export", file), {
        ok: true,
        out: ["4 dropped"],
        err: [`4 written to ${file}`]
      })
      assert.strictEqual(yield* lengthOf(redis, abandoned), 0)
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      const again = yield* run(redis, "abandoned", "export", file)
      assert.deepStrictEqual(again.err, [`${file}: there is such a file; nothing was written`])
      assert.strictEqual(
        (yield* run(redis, "abandoned", "import", file, "--dry-run")).out[0],
        "would be: 4 imported, 0 there already"
      )
      assert.match(
        (yield* run(redis, "abandoned", "import", file)).err[0] ?? "",
        /^Put 4 events of 4 lines back\? Pass --yes/
      )
      assert.deepStrictEqual((yield* run(redis, "abandoned", "import", file, "--yes")).out, [
        "4 imported, 0 there already"
      ])
      assert.deepStrictEqual(yield* contents(redis, abandoned), before)
      // An import that was stopped half way, and one that was not.
      yield* run(redis, "abandoned", "drop", "e-2", "--yes")
      assert.deepStrictEqual((yield* run(redis, "abandoned", "import", file, "--yes")).out, [
        "1 imported, 3 there already"
      ])
      assert.deepStrictEqual((yield* run(redis, "abandoned", "import", file, "--yes")).out, [
        "0 imported, 4 there already"
      ])
      assert.deepStrictEqual(
        (yield* audited(redis)).map(({ action, count, target }) => [action, count, target]),
        [
          ["abandoned import", 1, file],
          ["abandoned drop", 1, null],
          ["abandoned import", 4, file],
          ["abandoned drop", 4, null]
        ]
      )
      const lines = (yield* run(redis, "abandoned", "export", "--event-id", "e-1")).out
      assert.strictEqual(JSON.parse(lines.join("")).event_id, "e-1")
      const bad: ReadonlyArray<readonly [line: string, said: RegExp]> = [
        ["{", /line 2: is no line of an export/],
        [JSON.stringify({ stream: "users", id: "1-1", fields: ["a", "b"] }), /line 2: its stream users is none of/],
        [JSON.stringify({ stream: abandoned, id: "1-1", fields: ["a"] }), /line 2: is no line of an export/],
        [`${"[".repeat(100)}`, /line 2: must not be nested deeper/]
      ]
      yield* run(redis, "abandoned", "drop", "--all", "--yes")
      for (const [line, said] of bad) {
        writeFileSync(file, `${lines.join("")}\n${line}\n`)
        const { err, ok } = yield* run(redis, "abandoned", "import", file, "--yes")
        assert.isFalse(ok)
        assert.match(err[0] ?? "", said)
        assert.strictEqual(yield* lengthOf(redis, abandoned), 0)
      }
    }).pipe(Effect.scoped, Effect.provide(MemoryRedis.layer))
  )
})

describe("a selection", () => {
  it.effect("never grows: what comes after the count is not touched", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      let hooked = false
      const add = (id: string) => redis.send("XADD", abandoned, "*", "junk", id)
      for (let n = 0; n < 20; n++) yield* add(`${n}`)
      // Somebody adds one more with each that is deleted.
      const growing: Redis["Service"] = {
        ...redis,
        send: (command, ...args) => {
          if (command !== "XDEL") return redis.send(command, ...args)
          hooked = true
          return Effect.andThen(add("later"), redis.send(command, ...args)) as never
        }
      }
      assert.deepStrictEqual((yield* run(growing, "abandoned", "drop", "--all", "--limit", "5", "--yes")).out, [
        "5 dropped"
      ])
      assert.isTrue(hooked)
      assert.strictEqual(yield* lengthOf(redis, abandoned), 20)
      assert.deepStrictEqual((yield* run(growing, "abandoned", "drop", "--all", "--yes")).out, ["20 dropped"])
      assert.strictEqual(yield* lengthOf(redis, abandoned), 20)
      yield* settle
    }).pipe(Effect.provide(Layer.mergeAll(MemoryRedis.layer)))
  )
})
