/** What the operator's lists look like on a terminal of 80 and of 140 columns, character for character. */
import { stripVTControlCharacters } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CliOutput, type Command } from "effect/cli"
import { TestClock } from "effect/testing"
import { plainScreen, Screen } from "../../src/cli/screen.ts"
import { rootFor } from "../../src/cli/serviceCommands.ts"
import { encodeAbandonedEntry, encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import { Redis } from "../../src/services/Redis.ts"
import { commandOn } from "../support/command-line.ts"
import { processFields, transcribeFields } from "../support/events.ts"
import { abandoned, dlq, processing, transcribe } from "../support/streams.ts"

const now = Date.UTC(2026, 0, 31, 3, 0)
const minute = 60_000
const cyrillicAndWide = "нет баланса 残高不足 🙂"

const give = (
  redis: Redis["Service"],
  eventId: string,
  at: number,
  more: Partial<Parameters<typeof encodeAbandonedEntry>[0]> = {},
  fields: Record<string, string> = {}
) => {
  const said = {
    reason: "exhausted",
    attempts: 4,
    origin_stream: transcribe,
    origin_id: `${at - 65_000}-0`,
    first_failed_at: at - 65_000,
    abandoned_at: at,
    error_code: "HTTP_503",
    error_message: "OVERLOADED: request 7f3a9 of user 17 was shed, try again in 30 s",
    ...more
  } as const
  const event = said.origin_stream === processing ? processFields : transcribeFields
  return redis.send("XADD", abandoned, `${at}-0`, ...encodeAbandonedEntry(said, event(eventId, at, fields)))
}

/** Three in the morning: 18 events of one cause, one of another, junk, and what others wrote. */
const night = Effect.gen(function* () {
  const redis = yield* Redis
  yield* TestClock.setTime(now)
  yield* redis.send("XADD", abandoned, `${now - 3_000 * minute}-0`, "junk", "\u001b[2J")
  for (let n = 0; n < 18; n++) {
    yield* give(redis, `evt-${1_000 + n}`, now - 90 * minute + n * minute, {
      error_message: `OVERLOADED: request ${7_000 + n} of user ${n} was shed, try again in 30 s`
    })
  }
  const rejected = { reason: "rejected", attempts: 1, error_code: "HTTP_422", origin_stream: processing } as const
  yield* give(redis, "0b3c6a1e-6f0e-4a52-9a0e-6a1d3c2b9f10", now - 2 * minute, {
    ...rejected,
    error_message: `NO_CREDIT: ${cyrillicAndWide}`
  })
  yield* give(
    redis,
    "\u001b[31mred\u202e",
    now - minute,
    { error_message: "a\nforged line" },
    { user_id: "x".repeat(90) }
  )
  return redis
})

const screen = (columns: number, colours = false) => ({ ...plainScreen, columns, colours })

const shown = (redis: Redis["Service"], columns: number, ...args: ReadonlyArray<string>) =>
  Effect.map(commandOn(redis, ...args).pipe(Effect.provideService(Screen, screen(columns))), ({ out }) => out)

const fits = (lines: ReadonlyArray<string>, columns: number) => {
  for (const line of lines) {
    assert.isAtMost(CliOutput.displayWidth(line), columns, line)
    assert.match(line, /^[^\p{Cc}\p{Cf}]*$/u)
  }
}

describe("a list on a terminal", () => {
  it.effect("of 80 columns: the newest first, the error cut, and how many there are in all", () =>
    Effect.gen(function* () {
      const redis = yield* night
      const out = yield* shown(redis, 80, "abandoned", "list", "--limit", "4")
      fits(out, 80)
      assert.deepStrictEqual(out, [
        "AGE  EVENT                     REASON     STREAM      ERROR",
        " 1m  \\u001b[31mred\\u202e       exhausted  transcribe  HTTP_503: a\\nforged line",
        " 2m  0b3c6a1e-6f0e-4a52-9a0e…  rejected   process     HTTP_422: NO_CREDIT: нет …",
        " 1h  evt-1017                  exhausted  transcribe  HTTP_503: OVERLOADED: req…",
        " 1h  evt-1016                  exhausted  transcribe  HTTP_503: OVERLOADED: req…",
        "4 of 21"
      ])
    }).pipe(Effect.provide(MemoryRedis.layer))
  )

  it.effect("of 140 columns: with ids, users and models", () =>
    Effect.gen(function* () {
      const redis = yield* night
      const out = yield* shown(redis, 140, "abandoned", "list", "--limit", "3")
      fits(out, 140)
      assert.deepStrictEqual(out, [
        "AGE  ID               EVENT                     REASON     TRIES  STREAM      USER              MODEL      ERROR",
        " 1m  1769828340000-0  \\u001b[31mred\\u202e       exhausted      4  transcribe  xxxxxxxxxxxxxxx…  whisper-1  HTTP_503: a\\nforged line",
        " 2m  1769828280000-0  0b3c6a1e-6f0e-4a52-9a0e…  rejected       1  process     user-1            gpt-4o     HTTP_422: NO_CREDIT: нет баланса…",
        " 1h  1769824020000-0  evt-1017                  exhausted      4  transcribe  user-1            whisper-1  HTTP_503: OVERLOADED: request 70…",
        "3 of 21"
      ])
    }).pipe(Effect.provide(MemoryRedis.layer))
  )

  it.effect("groups count by what failures have in common, ids and numbers folded", () =>
    Effect.gen(function* () {
      const redis = yield* night
      const out = yield* shown(redis, 80, "abandoned", "groups")
      fits(out, 80)
      assert.deepStrictEqual(out, [
        "COUNT   SHARE  FIRST  LAST  LATEST ID        ERROR",
        "   18  85.7 %     1h    1h  1769824020000-0  HTTP_503 OVERLOADED: request # of …",
        "    1   4.8 %     1m    1m  1769828340000-0  HTTP_503 a forged line",
        "    1   4.8 %     2m    2m  1769828280000-0  HTTP_422 NO_CREDIT: нет баланса 残…",
        "    1   4.8 %     2d    2d  1769648400000-0  (unreadable)",
        "4 groups, 21 in all"
      ])
      const byHour = yield* shown(redis, 80, "abandoned", "groups", "--by", "hour", "--newer-than", "1d")
      assert.deepStrictEqual(byHour, [
        "COUNT   SHARE  FIRST  LAST  LATEST ID        HOUR",
        "    2  10.0 %     2m    1m  1769828340000-0  2026-01-31T02:00Z",
        "   18  90.0 %     1h    1h  1769824020000-0  2026-01-31T01:00Z",
        "2 groups, 20 in all"
      ])
    }).pipe(Effect.provide(MemoryRedis.layer))
  )

  it.effect("of the DLQ says when each is due", () =>
    Effect.gen(function* () {
      const redis = yield* night
      const retry = {
        attempt: 2,
        not_before: now + 12_000,
        origin_stream: transcribe,
        origin_id: `${now}-0`,
        first_failed_at: now - 8_000,
        last_failed_at: now - 3_000,
        error_code: "TIMEOUT",
        error_message: "no answer within 10 s"
      }
      yield* redis.send("XADD", dlq, `${now - 3_000}-0`, ...encodeDlqEntry(retry, transcribeFields("evt-1", now)))
      const late = { ...retry, not_before: now - 240_000 }
      yield* redis.send("XADD", dlq, `${now - 3_000}-1`, ...encodeDlqEntry(late, transcribeFields("evt-2", now)))
      const out = yield* shown(redis, 80, "dlq", "list")
      fits(out, 80)
      assert.deepStrictEqual(out, [
        "AGE  ID               EVENT  DUE      STREAM      ERROR",
        " 3s  1769828397000-1  evt-2  4m late  transcribe  TIMEOUT: no answer within 10 s",
        " 3s  1769828397000-0  evt-1  in 12s   transcribe  TIMEOUT: no answer within 10 s",
        "2 waiting"
      ])
    }).pipe(Effect.provide(MemoryRedis.layer))
  )

  it.effect("has colours where the terminal has them, and never another's", () =>
    Effect.gen(function* () {
      const redis = yield* night
      const { out } = yield* commandOn(redis, "abandoned", "list", "--limit", "1").pipe(
        Effect.provideService(Screen, screen(80, true))
      )
      const [header = "", row = ""] = out.map((line) => line.replaceAll("\u001b", "^"))
      assert.match(header, /^\^\[1mAGE .*ERROR\^\[22m$/)
      assert.match(row, /^\^\[2m 1m\^\[22m {2}\\u001b\[31mred\\u202e /)
      assert.include(row, "^[33mexhausted")
    }).pipe(Effect.provide(MemoryRedis.layer))
  )
})

describe("filters", () => {
  const ids = (redis: Redis["Service"], ...args: ReadonlyArray<string>) =>
    Effect.map(commandOn(redis, "abandoned", "list", "--json", ...args), ({ out }) =>
      out.filter((line) => line !== "").map((line) => JSON.parse(line).event_id)
    )

  it.effect("are the same everywhere: alternatives within one, all of them together", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      yield* TestClock.setTime(now)
      const at = (minutesAgo: number) => now - minutesAgo * minute
      yield* give(redis, "e-1", at(50), { error_code: "TIMEOUT" }, { user_id: "ann", model: "a" })
      yield* give(redis, "e-2", at(40), { reason: "rejected", attempts: 1 }, { user_id: "bob", session_id: "s-2" })
      yield* give(redis, "e-3", at(30), { origin_stream: processing }, { user_id: "cyd", device_id: "phone=7" })
      yield* give(redis, "e-4", at(20), { error_message: "No Credit left" }, { user_id: "ann" })
      const data = ["data", JSON.stringify({ event_id: "e-5", user_id: "ann", shop: 7 })]
      yield* redis.send(
        "XADD",
        abandoned,
        `${at(10)}-0`,
        "abandoned",
        JSON.stringify({
          reason: "invalid",
          attempts: 0,
          origin_stream: transcribe,
          origin_id: "1-0",
          first_failed_at: at(10),
          abandoned_at: at(10),
          error_code: "INVALID",
          error_message: "audio_seconds: is missing"
        }),
        "event",
        JSON.stringify(Object.fromEntries([data]))
      )
      const cases: ReadonlyArray<readonly [found: string, ...args: ReadonlyArray<string>]> = [
        ["e-5 e-4 e-3 e-2 e-1"],
        ["e-2", "--reason", "rejected"],
        ["e-5 e-2", "--reason", "rejected", "--reason", "invalid"],
        ["e-1", "--error-code", "TIMEOUT"],
        ["e-4", "--message", "no credit"],
        ["e-3", "--stream", "process"],
        ["e-5 e-4 e-1", "--user", "ann"],
        ["e-4", "--user", "ann", "--message", "credit"],
        ["e-1", "--model", "a"],
        ["e-2", "--session", "s-2"],
        ["e-3", "--where", "device_id=phone=7"],
        ["e-5", "--where", "shop=7"],
        ["", "--where", "metadata_sha256=7"],
        ["e-3 e-2", "--event-id", "e-2", "--event-id", "e-3"],
        ["e-2", "--id", `${at(40)}-0`],
        ["e-4 e-1", `${at(50)}-0`, "e-4"],
        ["e-5 e-4", "--since", "25 minutes"],
        ["e-3 e-2 e-1", "--until", "2026-01-31T02:30:00Z"],
        ["e-3", "--since", "2026-01-31T03:25:00+01:00", "--until", "2026-01-31T02:35:00Z"],
        ["e-5", "--newer-than", "15m"],
        ["e-2 e-1", "--older-than", "35m"],
        ["e-5 e-4", "--limit", "2"]
      ]
      for (const [found, ...args] of cases) {
        assert.strictEqual((yield* ids(redis, ...args)).join(" "), found, args.join(" "))
      }
      const wrong: ReadonlyArray<readonly [said: RegExp, ...args: ReadonlyArray<string>]> = [
        [/^--where shp: no event has such a field; there are event_id, .*, shop$/, "--where", "shp=7"],
        [/--where: "x". Expected: field=value/, "--where", "x"],
        [/^--reason rejcted: there is no such reason; there are exhausted, rejected/, "--reason", "rejcted"],
        [/^--error-code 503: there is no such code; there are HTTP_<status>/, "--error-code", "503"],
        [/--since: "yesterday". Expected: an ISO 8601 time such as/, "--since", "yesterday"],
        [/^no time lies within these/, "--since", "1h", "--until", "2h"]
      ]
      for (const [said, ...args] of wrong) {
        for (const command of ["list", "groups"]) {
          const { err, ok } = yield* commandOn(redis, "abandoned", command, ...args)
          assert.isFalse(ok)
          assert.match(err[0] ?? "", said)
        }
      }
    }).pipe(Effect.provide(MemoryRedis.layer))
  )
})

describe("help", () => {
  it.effect("fits a terminal of 80 by 24, the prompt after it included, and hides no flag", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      const root = yield* Effect.promise(() => rootFor(["--wizard"]))
      const commandsOf = ({ subcommands }: typeof root | Command.Command.Any) =>
        subcommands.flatMap(({ commands }) => commands)
      const pages = [
        [],
        ...commandsOf(root).flatMap((command) => [
          [command.name],
          ...commandsOf(command).map(({ name }) => [command.name, name])
        ])
      ]
      assert.isAbove(pages.length, 30)
      for (const args of pages) {
        const out = yield* shown(redis, 80, ...args, "--help")
        fits(out, 80)
        assert.isAtMost(out.length, 23, args.join(" "))
      }
      const help = (yield* shown(redis, 80, "abandoned", "replay", "--help")).join("\n")
      for (const flag of ["id...", "--where <field=value>", "--older-than <age>", "--dry-run", "--to-stream", "--yes"])
        assert.include(help, flag)
    }).pipe(Effect.provide(MemoryRedis.layer))
  )

  it.effect("begins with a page of all commands in their groups, side by side where there is room", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      const wide = yield* shown(redis, 80, "--help")
      assert.include(wide, "SERVICE                                  TRAFFIC")
      assert.include(wide.join("\n"), "  keygen      Make a new key pair\n")
      const { out: coloured } = yield* commandOn(redis, "--help").pipe(Effect.provideService(Screen, screen(80, true)))
      assert.deepStrictEqual(coloured.map(stripVTControlCharacters), wide)
      const narrow = yield* shown(redis, 60, "--help")
      fits(narrow, 60)
      assert.include(narrow, "TRAFFIC")
    }).pipe(Effect.provide(MemoryRedis.layer))
  )
})
