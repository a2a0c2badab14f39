/** Traffic control by the app that runs the collector (contract section 9). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { JobCollector, type TrafficControlError } from "../../src/index.ts"
import { addEvent, group, transcribe } from "../support/streams.ts"
import { ScriptedApi, travel, withCollector } from "../support/time-machine.ts"

const key = `{${transcribe}}:rules:${group}`

describe("a running collector's traffic control", () => {
  it.effect("pauses and resumes the deliveries of the group, each within two seconds", () => {
    const api = new ScriptedApi()
    return withCollector(api, { consumerName: "app-1" }, (redis) =>
      Effect.gen(function* () {
        const { pause, resume, rules } = yield* JobCollector
        yield* travel(1_000)
        const at = yield* Clock.currentTimeMillis
        const paused = yield* pause({ duration: "1 minute", why: "migration" })
        assert.deepStrictEqual(paused, { kind: "pause", at, by: "app-1", why: "migration", until: at + 60_000 })
        assert.deepStrictEqual(yield* rules, [paused])
        yield* travel(2_000)
        yield* addEvent(redis, "e")
        yield* travel(30_000)
        assert.deepStrictEqual(api.attempts, [])
        assert.isTrue(yield* resume({ as: "anna" }))
        yield* travel(2_000)
        assert.deepStrictEqual(api.delivered, ["e"])
        assert.isFalse(yield* resume())
        assert.deepStrictEqual(yield* rules, [])
      })
    )
  })

  it.effect("limits and parks", () =>
    withCollector(new ScriptedApi(), { consumerName: "app-1" }, () =>
      Effect.gen(function* () {
        const { limit, park, rules, unpark } = yield* JobCollector
        const limited = yield* limit("200 per second", { as: "anna" })
        assert.deepInclude(limited, { kind: "limit", rate: { count: 200, perMs: 1_000 }, by: "anna" })
        const parked = yield* park("user_id=u-1", { duration: 5_000 })
        assert.deepInclude(parked, { kind: "park", field: "user_id", value: "u-1", until: parked.at + 5_000 })
        assert.deepStrictEqual<ReadonlyArray<unknown>>(yield* rules, [limited, parked])
        assert.isUndefined(yield* limit("off"))
        assert.isTrue(yield* unpark("user_id=u-1"))
        assert.isFalse(yield* unpark("user_id=u-1"))
        assert.deepStrictEqual(yield* rules, [])
      })
    )
  )

  it.effect("refuses what cannot be, from JavaScript too, and sets nothing", () =>
    withCollector(new ScriptedApi(), {}, (redis) =>
      Effect.gen(function* () {
        const { limit, park, pause, rules, unpark } = yield* JobCollector
        const said = (effect: Effect.Effect<unknown, TrafficControlError>) =>
          Effect.map(Effect.flip(effect), ({ message, reason }) => `${reason} ${message}`)
        for (const [effect, problem] of [
          [pause({ duration: 0 }), "Invalid duration: must be finite and above 0"],
          [pause({ duration: "Infinity" }), "Invalid duration: must be finite and above 0"],
          [pause({ duration: "soon" as "1 second" }), "Invalid duration: is none"],
          [pause({ why: "" }), "Invalid why: must be a text of 1 to 500 characters"],
          [pause({ as: 5 as unknown as string }), "Invalid as: must be a text of 1 to 128 characters"],
          [limit("fast"), /^Invalid fast: must be off, or a whole number from 1 to 1,000,000 per second/],
          [limit(undefined as unknown as string), /^Invalid undefined: must be off, or a whole number/],
          [park("user=u-1"), /^Invalid user=u-1: no event can be parked by a field user; there are model, /],
          [unpark("u-1"), "Invalid u-1: it must be <field>=<value>, such as user_id=u-1"]
        ] as const) {
          const message = yield* said(effect)
          if (typeof problem === "string") assert.strictEqual(message, problem)
          else assert.match(message, problem)
        }
        assert.isNull(yield* redis.send("GET", key))
        yield* redis.send("SET", key, "garbage")
        assert.match(yield* said(rules), /^Unreadable /)
        yield* redis.send("DEL", key)
        yield* redis.send("SADD", key, "x")
        assert.match(yield* said(pause()), /^Redis WRONGTYPE/)
      })
    )
  )
})
