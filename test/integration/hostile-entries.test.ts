import { globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import { explain } from "../../src/cli/explain.ts"
import { encodeAbandonedEntry, encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import { SettingsError } from "../../src/layers/settings/Environment.ts"
import { Redis } from "../../src/services/Redis.ts"
import { commandOn } from "../support/command-line.ts"

/** What producers and neighbours can write, and what an operator's commands show of it. */

const transcribe = "modelsgateway:events:transcribe"
const dlq = "modelsgateway:events:dlq"
const abandoned = "modelsgateway:events:abandoned"
const group = "job-collector-group"

/** Clears the screen, colours, turns the text around, ends the line in three ways and begins a forged one. */
const hostile = "\u001b[2J\u009b31m\u202egnp\u2066\u200b\u2028\u2029\r\n✓ forged"
const beyondDates = 9e15
const root = fileURLToPath(new URL("../..", import.meta.url))
const largestId = "18446744073709551615-18446744073709551615"

const abandonedEntry = (eventId: string, more: Partial<Parameters<typeof encodeAbandonedEntry>[0]> = {}) =>
  encodeAbandonedEntry(
    {
      reason: "exhausted",
      attempts: 4,
      origin_stream: transcribe,
      origin_id: "1-0",
      first_failed_at: 0,
      abandoned_at: 0,
      error_code: "HTTP_500",
      error_message: "down",
      ...more
    },
    ["event_id", eventId]
  )

const retryEntry = (eventId: string, more: Partial<Parameters<typeof encodeDlqEntry>[0]> = {}) =>
  encodeDlqEntry(
    {
      attempt: 2,
      not_before: 0,
      origin_stream: transcribe,
      origin_id: "1-0",
      first_failed_at: 0,
      last_failed_at: 0,
      error_code: "HTTP_503",
      error_message: "busy",
      ...more
    },
    ["event_id", eventId]
  )

describe("entries that others wrote", () => {
  it.effect("neither steer the terminal nor forge a line, in any output of any command", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      const fields = ["event_id", hostile, hostile, hostile]
      yield* redis.send("XADD", transcribe, "5-1", ...fields)
      const said = { error_code: hostile, error_message: hostile, origin_stream: hostile }
      yield* redis.send("XADD", dlq, "5-1", ...retryEntry(hostile, said))
      yield* redis.send(
        "XADD",
        abandoned,
        "5-1",
        ...abandonedEntry(hostile, said).slice(0, 3),
        JSON.stringify({ event_id: hostile, [hostile]: hostile })
      )
      yield* redis.send("XGROUP", "CREATE", transcribe, group, "0")
      yield* redis.send("XREADGROUP", "GROUP", group, hostile, "STREAMS", transcribe, ">")
      const commands: ReadonlyArray<readonly [lines: number, ...args: ReadonlyArray<string>]> = [
        [3, "dlq", "list"],
        [1, "dlq", "list", "--json"],
        [3, "abandoned", "list"],
        [3, "abandoned", "groups"],
        [3, "abandoned", "groups", "--by", "stream"],
        [1, "dlq", "groups", "--json"],
        [1, "abandoned", "list", "--json"],
        [11, "abandoned", "show", "5-1"],
        [3, "abandoned", "replay", "--dry-run"],
        [3, "abandoned", "drop", "--all", "--dry-run"],
        [9, "why", hostile, "--look-farther"],
        [1, "abandoned", "show", hostile.slice(0, -1)],
        [1, "why", `${hostile}!`],
        [1, "dlq", "list", "--stream", hostile.slice(1)],
        [1, "dlq", "list", `--${hostile}`],
        [1, hostile]
      ]
      for (const [lines, ...args] of commands) {
        const ran = yield* commandOn(redis, ...args)
        const all = [...ran.out, ...ran.err].flatMap((text) => text.split("\n"))
        // An error's message is printed by the process, which makes it printable as well: a line of it must not be two.
        for (const line of ran.ok ? all : ran.out) assert.match(line, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, args.join(" "))
        if (ran.ok) assert.strictEqual(all.length, lines, args.join(" "))
        assert.isFalse(
          all.some((line) => line.startsWith("✓ forged")),
          args.join(" ")
        )
      }
      const [line = ""] = (yield* commandOn(redis, "abandoned", "list", "--json")).out
      assert.strictEqual(JSON.parse(line).event_id, hostile)
    }).pipe(Effect.provide(MemoryRedis.layer))
  )

  it.effect("with times and ids beyond all dates are listed and told like others, and hide none", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      yield* redis.send("XADD", abandoned, "1-1", ...abandonedEntry("e-1"))
      const forged = { origin_id: largestId, abandoned_at: beyondDates, first_failed_at: -beyondDates }
      yield* redis.send("XADD", abandoned, "2-1", ...abandonedEntry("e-2", forged))
      yield* redis.send(
        "XADD",
        dlq,
        "2-1",
        ...retryEntry("e-2", { not_before: beyondDates, last_failed_at: beyondDates })
      )
      yield* redis.send("XADD", transcribe, largestId, "event_id", "e-2")
      yield* redis.send("XADD", abandoned, largestId, ...abandonedEntry("e-3"))
      const { ok, out } = yield* commandOn(redis, "abandoned", "list")
      assert.isTrue(ok)
      assert.deepStrictEqual(
        out.slice(1, -1).map((line) => /e-\d/.exec(line)?.[0]),
        ["e-3", "e-2", "e-1"]
      )
      assert.isTrue((yield* commandOn(redis, "dlq", "list")).ok)
      const shown = yield* commandOn(redis, "abandoned", "show", "e-2")
      assert.include(shown.out.join("\n"), `${beyondDates} ms since 1970`)
      const told = yield* commandOn(redis, "why", "e-2", "--look-farther")
      assert.isTrue(told.ok)
      assert.strictEqual(told.out.filter((line) => line.includes("ms since 1970")).length, 3)
    }).pipe(Effect.provide(MemoryRedis.layer))
  )

  it.effect("more than a page of them, the last at the largest id, are read to their end in both directions", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      for (let i = 1; i < 400; i++) yield* redis.send("XADD", abandoned, `0-${i}`, ...abandonedEntry(`e-${i}`))
      yield* redis.send("XADD", abandoned, largestId, ...abandonedEntry("e-400"))
      const { out } = yield* commandOn(redis, "abandoned", "list", "--limit", "3")
      assert.strictEqual(out.length, 5)
      assert.match(out[1] ?? "", / {2}e-400 {2}/)
      assert.match(out[3] ?? "", / {2}e-398 {2}/)
      assert.strictEqual(out[4], "3 of 400")
      const dropped = yield* commandOn(redis, "abandoned", "drop", "--all", "--yes")
      assert.deepStrictEqual(dropped.out, ["400 dropped"])
    }).pipe(Effect.provide(MemoryRedis.layer))
  )

  it.effect("show their event id whatever else is wrong, cut at 128 characters, and are found by it", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      const long = "x".repeat(305)
      yield* redis.send("XADD", abandoned, "1-1", ...abandonedEntry(long, { reason: "invalid" }))
      const { out } = yield* commandOn(redis, "abandoned", "list", long)
      assert.match(out[1] ?? "", / 1-1 {2}x{127}… {2}invalid /)
      const twice = JSON.stringify({ event_id: "e-1", "event_id#2": "e-1" })
      const said = { reason: "invalid", error_message: "event_id: must not occur twice" } as const
      yield* redis.send("XADD", abandoned, "2-1", ...abandonedEntry("", said).slice(0, 3), twice)
      assert.match((yield* commandOn(redis, "abandoned", "list", "e-1")).out[1] ?? "", / 2-1 {2}e-1 +invalid /)
    }).pipe(Effect.provide(MemoryRedis.layer))
  )
})

describe("why states only what is known", () => {
  const verdict = (redis: Redis["Service"], eventId: string) =>
    Effect.map(commandOn(redis, "why", eventId, "--json"), ({ out }) => JSON.parse(out.join("\n")).verdict)

  it.effect("of what the group's start skipped, of what it acknowledged, and where nobody kept the start", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      yield* redis.send("XADD", transcribe, "1-1", "event_id", "early")
      assert.include(yield* verdict(redis, "early"), "the consumer group does not exist yet")
      yield* redis.send("XGROUP", "CREATE", transcribe, group, "$")
      assert.include(yield* verdict(redis, "early"), "Redis does not say whether")
      yield* redis.send("SET", `{${transcribe}}:start:${group}`, "1-1")
      assert.include(yield* verdict(redis, "early"), "it was skipped: it lies before the start")
      yield* redis.send("XADD", transcribe, "2-1", "event_id", "late")
      assert.strictEqual(yield* verdict(redis, "late"), "it is waiting to be read")
      yield* redis.send("XREADGROUP", "GROUP", group, "c", "STREAMS", transcribe, ">")
      assert.include(yield* verdict(redis, "late"), "it is held by c")
      yield* redis.send("XACK", transcribe, group, "2-1")
      assert.include(yield* verdict(redis, "late"), "it was acknowledged; no outcome was kept")
    }).pipe(Effect.provide(MemoryRedis.layer))
  )

  it.effect("exits 1 where nothing is known, and recommends no replay that must fail", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      const unknown = yield* commandOn(redis, "why", "nobody")
      assert.deepStrictEqual([unknown.ok, unknown.out], [false, []])
      assert.match(unknown.err.join(), /^nobody: nothing is known of it/)
      const invalid = { reason: "invalid", error_code: "INVALID" } as const
      yield* redis.send(
        "XADD",
        abandoned,
        "1-1",
        ...abandonedEntry("bad", { ...invalid, error_message: "user_id: is missing" })
      )
      assert.include(yield* verdict(redis, "bad"), "a replay would fail the same way")
      const old = "completed_at: must not be older than EVENT_MAX_AGE allows"
      yield* redis.send("XADD", abandoned, "2-1", ...abandonedEntry("old", { ...invalid, error_message: old }))
      assert.include(yield* verdict(redis, "old"), "`abandoned replay 2-1` puts it back")
    }).pipe(Effect.provide(MemoryRedis.layer))
  )

  it.effect("says how long an entry of the DLQ is overdue", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      yield* TestClock.setTime(60_000)
      yield* redis.send("XADD", dlq, "1-1", ...retryEntry("e-1", { not_before: 48_000 }))
      assert.include(yield* verdict(redis, "e-1"), "the next one is overdue by 12 s")
      assert.include((yield* commandOn(redis, "dlq", "list")).out[1], " 12s late ")
    }).pipe(Effect.provide(MemoryRedis.layer))
  )
})

describe("arguments that cannot be meant", () => {
  it.effect("are answered in one line, without the help, and name what there is", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      const wrong: ReadonlyArray<readonly [said: RegExp, ...args: ReadonlyArray<string>]> = [
        [
          /^Unrecognized flag: --resaon .*Did you mean this\? --reason \(see `job-collector dlq list --help`\)$/,
          "dlq",
          "list",
          "--resaon",
          "x"
        ],
        [/--limit: "0". Expected: a whole number of at least 1 \(see/, "abandoned", "list", "--limit", "0"],
        [
          /--newer-than: "2". Expected: a duration above 0 with its unit, such as 30m/,
          "dlq",
          "list",
          "--newer-than",
          "2"
        ],
        [
          /^--reason HTTP_5xx: there is no such reason; there are failed, capped, circuit, parked, and/,
          "dlq",
          "list",
          "--reason",
          "HTTP_5xx"
        ],
        [
          /^--stream nope: there is no such stream; there are transcribe \(modelsgateway:events:transcribe\), process/,
          "abandoned",
          "list",
          "--stream",
          "nope"
        ]
      ]
      for (const [said, ...args] of wrong) {
        const { err, ok, out } = yield* commandOn(redis, ...args)
        assert.deepStrictEqual([ok, out], [false, []])
        // The last is the error as the test's command line has it.
        assert.match(err[0] ?? "", said)
        assert.notInclude(err[0], "\n")
      }
      for (const age of ["2h", "2 hours", "90m", "1d", "500ms"]) {
        assert.isTrue((yield* commandOn(redis, "dlq", "list", "--newer-than", age)).ok, age)
      }
    }).pipe(Effect.provide(MemoryRedis.layer))
  )
})

describe("what a command says at its end", () => {
  const said = (cause: Cause.Cause<unknown>) =>
    Effect.andThen(
      explain(cause),
      Effect.map(TestConsole.errorLines, (lines) => lines.map(String))
    )

  it.effect("is one line for a defect, one line a setting, and never nothing but for a signal", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* said(Cause.interrupt(1)), [])
      const settings = new SettingsError({
        problems: [
          { variable: "A", problem: "bad" },
          { variable: "B", problem: "worse" }
        ]
      })
      assert.deepStrictEqual(yield* said(Cause.fail(settings)), ["A: bad\nB: worse"])
      const defect = Cause.die(new Error(`broken${hostile}`))
      const [, line = ""] = yield* said(defect)
      assert.match(line, /^internal error, please report it: broken\\u001b[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u)
    })
  )

  it("leaves the console to the modules that make lines printable", () => {
    const printing = globSync("src/cli/**/*.ts", { cwd: root }).filter((file) =>
      /\bConsole\.|process\.std(?:out|err)\.write/.test(readFileSync(`${root}/${file}`, "utf8"))
    )
    assert.deepStrictEqual(printing.sort(), [
      "src/cli/explain.ts",
      "src/cli/keygen.ts",
      "src/cli/lostOutput.ts",
      "src/cli/output.ts",
      "src/cli/usage.ts"
    ])
  })
})
