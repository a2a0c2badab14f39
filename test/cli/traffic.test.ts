/** Traffic control and the audit from the command line, while no service runs: word for word what is printed. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { operatorName } from "../../src/layers/node/Host.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import { Redis } from "../../src/services/Redis.ts"
import { commandOn } from "../support/command-line.ts"
import { group, transcribe } from "../support/streams.ts"

const key = `{${transcribe}}:rules:${group}`

/** Runs a command as Anna; what it printed where it succeeded. */
const run = (...args: ReadonlyArray<string>) => Effect.flatMap(Redis, (redis) => commandOn(redis, ...args))
const done = (...args: ReadonlyArray<string>) =>
  Effect.map(run(...args), ({ err, ok, out }) => {
    assert.deepStrictEqual([ok, err], [true, []], args.join(" "))
    return out
  })
const refused = (...args: ReadonlyArray<string>) =>
  Effect.map(run(...args), ({ err, ok }) => {
    assert.isFalse(ok, args.join(" "))
    return err.join("\n")
  })
const anna = ["--as", "anna"] as const
const stored = Redis.use((redis) => redis.send("GET", key))

const world = <A, E>(test: Effect.Effect<A, E, Redis>) =>
  Effect.andThen(TestClock.setTime(Date.parse("2026-03-01T10:00:00Z")), test).pipe(Effect.provide(MemoryRedis.layer))

describe("traffic control from the command line", () => {
  it.effect("says what holds until when, and how to end it", () =>
    world(
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* done("rules"), ["no rule is set"])
        assert.deepStrictEqual(yield* done("pause", "10m", ...anna, "--why", "migration 42"), [
          "deliveries are paused until 2026-03-01T10:10:00.000Z; to end this before: job-collector resume"
        ])
        assert.deepStrictEqual(yield* done("limit", "6000 per minute", ...anna), [
          "deliveries are limited to 6000 per minute until somebody runs: job-collector limit off",
          "1 other rule in force; see: job-collector rules"
        ])
        assert.deepStrictEqual(yield* done("park", "user_id=u-1", "2 hours", "--as", "bob"), [
          "events of user_id=u-1 are parked until 2026-03-01T12:00:00.000Z; to end this before: job-collector unpark user_id=u-1",
          "2 other rules in force; see: job-collector rules"
        ])
        assert.deepStrictEqual(yield* done("rules"), [
          "pause  until 2026-03-01T10:10:00.000Z  holds back 0 events  set 2026-03-01T10:00:00.000Z by anna: migration 42",
          "limit 6000 per minute  until it is lifted  holds back 0 events  set 2026-03-01T10:00:00.000Z by anna",
          "park user_id=u-1  until 2026-03-01T12:00:00.000Z  holds back 0 events  set 2026-03-01T10:00:00.000Z by bob"
        ])
        yield* TestClock.adjust("10 minutes")
        assert.deepStrictEqual((yield* done("rules")).length, 2)
        assert.deepStrictEqual(yield* done("resume"), [
          "deliveries were not paused",
          "2 other rules in force; see: job-collector rules"
        ])
        assert.deepStrictEqual(yield* done("unpark", "user_id=u-1"), [
          "events of user_id=u-1 go on",
          "1 other rule in force; see: job-collector rules"
        ])
        assert.deepStrictEqual(yield* done("limit", "off"), ["deliveries are no longer limited"])
        assert.deepStrictEqual(yield* done("limit", "off"), ["no limit was set"])
        assert.deepStrictEqual(yield* done("pause"), [
          "deliveries are paused until somebody runs: job-collector resume"
        ])
        assert.deepStrictEqual(yield* done("resume"), ["deliveries go on"])
      })
    )
  )

  it.effect("gives JSON: what was changed and what is in force, or one rule a line", () =>
    world(
      Effect.gen(function* () {
        const parsed = (out: ReadonlyArray<string>) => JSON.parse(out.join("\n"))
        const at = "2026-03-01T10:00:00.000Z"
        const limit = { kind: "limit", rate: "5 per second", at, until: null, by: "anna", why: null }
        const park = {
          kind: "park",
          field: "model",
          value: "m=1",
          at,
          until: "2026-03-01T10:00:01.000Z",
          by: "anna",
          why: "hangs"
        }
        assert.deepStrictEqual(parsed(yield* done("limit", "5/s", "--json", ...anna)), {
          changed: [limit],
          rules: [limit]
        })
        assert.deepStrictEqual(parsed(yield* done("park", "model=m=1", "1s", "--json", ...anna, "--why", " hangs ")), {
          changed: [park],
          rules: [limit, park]
        })
        assert.deepStrictEqual(
          (yield* done("rules", "--json")).map((line) => JSON.parse(line)),
          [
            { ...limit, holds: 0, holds_more: false },
            { ...park, holds: 0, holds_more: false }
          ]
        )
        assert.deepStrictEqual(parsed(yield* done("unpark", "model=m=1", "--json")), {
          changed: [park],
          rules: [limit]
        })
        assert.deepStrictEqual(parsed(yield* done("resume", "--json")), { changed: [], rules: [limit] })
      })
    )
  )

  it.effect("refuses what cannot be meant, naming the rule, and sets nothing", () =>
    world(
      Effect.gen(function* () {
        for (const [args, said] of [
          [["pause", "soon"], /a duration above 0 with its unit, such as 30m, 2h or "30 minutes"/],
          [["pause", "0s"], /a duration above 0 with its unit/],
          [["pause", "10"], /a duration above 0 with its unit/],
          [["pause", "10m", "--why", " "], /--why.*1 to 500 characters/],
          [["pause", "10m", "--as", ""], /--as.*1 to 128 characters/],
          [["pause", "10m", "--why", "w".repeat(501)], /--why.*1 to 500 characters/],
          [["limit"], /rate/],
          [
            ["limit", "0/s"],
            /off, or a whole number from 1 to 1,000,000 per second, minute or hour, such as "200 per second"/
          ],
          [["limit", "fast"], /off, or a whole number/],
          [["limit", "1.5/s"], /off, or a whole number/],
          [["limit", "100", "per", "second"], /off, or a whole number.*\(in quotes\)/],
          [["limit", "off", "10m"], /limit off ends the limit at once: it takes no duration/],
          [["park", "u-1"], /^u-1: it must be <field>=<value>, such as user_id=u-1$/],
          [["park", "=u-1"], /it must be <field>=<value>/],
          [
            ["park", "user=u-1"],
            /^user=u-1: no event can be parked by a field user; there are model, user_id, device_id, session_id$/
          ],
          [["park", "user_id="], /^user_id=: a value must follow user_id=$/],
          [["park", `user_id=${"x".repeat(257)}`], /the value of user_id must be at most 256 characters/],
          [["park", "user_id=u-1", "tomorrow"], /a duration above 0/],
          [["unpark", "user_id=u-1"], /^user_id=u-1 is not parked; see: job-collector rules$/],
          [["unpark", "user=u-1"], /no event can be parked by a field user/],
          [["park", "\u001b[2J=\u202e"], /^\\u001b\[2J=\\u202e: no event can be parked by a field/]
        ] as const) {
          assert.match(yield* refused(...args), said, args.join(" "))
          assert.isNull(yield* stored, args.join(" "))
        }
      })
    )
  )

  it.effect("says that garbage in the key was replaced; rules names it, and a key of another type is an error", () =>
    world(
      Effect.gen(function* () {
        const redis = yield* Redis
        yield* redis.send("SET", key, "garbage")
        assert.match(
          yield* refused("rules"),
          /^the rules cannot be read, and replicas keep to those they knew before: /
        )
        const { err, ok } = yield* run("pause", ...anna)
        assert.isTrue(ok)
        assert.match(err.join("\n"), /^warning: the rules that stood there could not be read and were replaced: /)
        assert.lengthOf(yield* done("rules"), 1)
        yield* redis.send("DEL", key)
        yield* redis.send("SADD", key, "x")
        for (const args of [["rules"], ["pause"], ["resume"]]) assert.match(yield* refused(...args), /WRONGTYPE/)
      })
    )
  )
})

describe("audit list", () => {
  it.effect("shows who changed what, when and why, newest first", () =>
    world(
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* done("audit", "list"), ["no change is noted"])
        yield* done("pause", "10m", ...anna, "--why", "migration 42")
        yield* TestClock.adjust("1 minute")
        yield* done("park", "user_id=u-1", "--as", "bob")
        yield* done("rules")
        yield* done("resume")
        const system = yield* operatorName
        assert.match(system, /^[^@]+@.+$/)
        assert.deepStrictEqual(yield* done("audit", "list"), [
          `2026-03-01T10:01:00.000Z  ${system}  resume`,
          "2026-03-01T10:01:00.000Z  bob  park user_id=u-1",
          "2026-03-01T10:00:00.000Z  anna  pause: migration 42",
          "3 noted"
        ])
        assert.deepStrictEqual((yield* done("audit", "list", "--limit", "1")).at(-1), "1 of 3")
        assert.lengthOf(yield* done("audit", "list", "--since", "30s"), 3)
        assert.lengthOf(yield* done("audit", "list", "--since", "2026-03-01T10:00:30Z"), 3)
        assert.match(yield* refused("audit", "list", "--since", "yesterday"), /an ISO 8601 time such as/)
        const [, , first] = yield* done("audit", "list", "--json")
        assert.deepInclude(JSON.parse(first ?? ""), {
          at: "2026-03-01T10:00:00.000Z",
          who: "anna",
          action: "pause",
          target: null,
          why: "migration 42"
        })
      })
    )
  )

  it.effect("shows what others wrote there as unreadable, printably", () =>
    world(
      Effect.gen(function* () {
        const redis = yield* Redis
        yield* redis.send("XADD", `{${transcribe}}:audit`, "1-1", "junk", "1")
        yield* redis.send(
          "XADD",
          `{${transcribe}}:audit`,
          "2-1",
          "audit",
          JSON.stringify({ at: 2, who: "x\u001b[2J", action: "y\nz" })
        )
        assert.deepStrictEqual(yield* done("audit", "list"), [
          "1970-01-01T00:00:00.002Z  x\\u001b[2J  y\\nz",
          "1-1  unreadable: it does not decode",
          "2 noted"
        ])
      })
    )
  )

  it.effect("is told of on stderr where a change could not be noted, which is done all the same", () =>
    world(
      Effect.gen(function* () {
        yield* Redis.use((redis) => redis.send("SET", `{${transcribe}}:audit`, "x"))
        const { err, ok } = yield* run("pause", ...anna)
        assert.isTrue(ok)
        assert.match(err.join("\n"), /^warning: done, but not noted in the audit: WRONGTYPE/)
        assert.lengthOf(yield* done("rules"), 1)
      })
    )
  )
})
