/** Where deliveries begin again there are four in flight, then twice as many every second: at exact instants. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { storedRules } from "../../src/domain/traffic/rules.ts"
import { Ramp } from "../../src/programs/delivery/state/ramp.ts"
import type { Redis } from "../../src/services/Redis.ts"
import { processFields, transcribeFields } from "../support/events.ts"
import { addEvent, group, processing, transcribe } from "../support/streams.ts"
import { type ScriptedAnswer, ScriptedApi, settle, success, travel, withCollector } from "../support/time-machine.ts"

/** Answers nothing while a test looks. */
const hanging: ScriptedAnswer = { ...success, delay: 3_600_000 }
const rulesKey = `{${transcribe}}:rules:${group}`
const patient = { apiTimeout: Duration.hours(2), groupStartId: "0" }

/** Adds a backlog to both streams, so that no reader waits with a permit in hand. */
const addBacklog = (redis: Redis["Service"], count: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) {
      yield* redis.send("XADD", transcribe, "*", ...transcribeFields(`t-${i}`, 0))
      yield* redis.send("XADD", processing, "*", ...processFields(`p-${i}`, 0))
    }
  })

/** Has a collector start behind a backlog, and lets it stop however the test ended: what hangs then must come to its end. */
const withBacklog = (
  api: ScriptedApi,
  count: number,
  test: (redis: Redis["Service"]) => Effect.Effect<void, unknown>,
  before: (redis: Redis["Service"]) => Effect.Effect<unknown, unknown> = () => Effect.void,
  isolateBy: ReadonlyArray<string> = []
) =>
  withCollector(
    api,
    { ...patient, isolateBy },
    (redis) => Effect.andThen(settle, test(redis)).pipe(Effect.ensuring(Effect.forkDetach(travel(60_000)))),
    (redis) => Effect.andThen(before(redis), addBacklog(redis, count))
  )

/** Lets time pass to an instant exactly, and everything that it wakes run. */
const pass = (ms: number) => Effect.andThen(TestClock.adjust(ms), settle)

/** How many requests were sent since, at the beginning of the first seconds and just before their end. */
const risesFromFour = (api: ScriptedApi, since: number) =>
  Effect.gen(function* () {
    for (const most of [4, 8, 16, 32]) {
      assert.strictEqual(api.attempts.length - since, most)
      yield* pass(999)
      assert.strictEqual(api.attempts.length - since, most, "a millisecond before the second's end")
      yield* pass(1)
    }
    assert.strictEqual(api.attempts.length - since, 64)
    yield* travel(30_000)
    assert.strictEqual(api.attempts.length - since, 64)
  })

describe("a gentle return", () => {
  it.effect("at a start behind a backlog: 4, 8, 16, 32 and 64 in flight, at exact instants", () => {
    const api = new ScriptedApi()
    api.answer = () => hanging
    return withBacklog(api, 60, () => risesFromFour(api, 0))
  })

  it.effect("after the pause that a 429 asks for, from its end on", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt, eventId }) =>
      eventId === "first" && attempt === 1 ? { status: 429, headers: { "retry-after": "30" } } : hanging
    return withBacklog(
      api,
      60,
      () =>
        Effect.gen(function* () {
          // What was on its way as the pause began hangs, but for the one that was refused.
          const sent = api.attempts.length
          assert.isAtMost(sent, 5)
          yield* travel(29_999)
          assert.strictEqual(api.attempts.length, sent)
          yield* pass(1)
          yield* risesFromFour(api, 1)
        }),
      (redis) => addEvent(redis, "first")
    )
  })

  it.effect("after an operator's pause that is lifted, as soon as that is known", () => {
    const api = new ScriptedApi()
    api.answer = () => hanging
    return withBacklog(
      api,
      60,
      (redis) =>
        Effect.gen(function* () {
          yield* travel(10_000)
          assert.strictEqual(api.attempts.length, 0)
          yield* redis.send("DEL", rulesKey)
          yield* pass(1_000)
          yield* risesFromFour(api, 0)
        }),
      (redis) => redis.send("SET", rulesKey, storedRules([{ kind: "pause", at: 0, by: "anna" }]))
    )
  })

  it.effect("after a circuit that closes, from the probe's answer on", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 503 })
    return withBacklog(api, 60, () =>
      Effect.gen(function* () {
        const burnt = api.attempts.length
        api.answer = () => {
          api.answer = () => hanging
          return success
        }
        yield* travel(4_999)
        assert.strictEqual(api.attempts.length, burnt)
        yield* pass(1)
        yield* risesFromFour(api, burnt + 1)
      })
    )
  })

  it.effect("of one among others to its share of what is in flight, which rises with it", () => {
    const api = new ScriptedApi()
    api.answer = () => hanging
    return withBacklog(
      api,
      60,
      () =>
        Effect.gen(function* () {
          yield* pass(3_000)
          const ofModel = () => api.attempts.filter(({ eventId }) => eventId.startsWith("p-")).length
          assert.strictEqual(ofModel(), 16)
          yield* pass(999)
          assert.strictEqual(ofModel(), 16)
          yield* pass(1)
          assert.strictEqual(ofModel(), 32)
        }),
      undefined,
      ["model"]
    )
  })

  it.effect("back to 4 by an outage-like failure, but not by those of requests that were sent before it", () => {
    const api = new ScriptedApi()
    api.answer = () => (api.attempts.length > 4 ? hanging : { status: 503, delay: 400 + 100 * api.attempts.length })
    return withBacklog(api, 60, () =>
      Effect.gen(function* () {
        assert.strictEqual(api.attempts.length, 4)
        // They fail after 500, 600, 700 and 800 ms.
        yield* pass(500)
        yield* travel(999, 100)
        assert.strictEqual(api.attempts.length, 4 + 4)
        yield* pass(1)
        assert.strictEqual(api.attempts.length, 4 + 8)
        yield* pass(999)
        assert.strictEqual(api.attempts.length, 4 + 8)
        yield* pass(1)
        assert.strictEqual(api.attempts.length, 4 + 16)
      })
    )
  })

  it("five times at most, or an API that always fails a little would hold it down for ever", () => {
    const ramp = new Ramp(64)
    ramp.begin(0)
    for (let at = 1_500; at <= 5 * 1_500; at += 1_500) {
      ramp.advance(at)
      assert.strictEqual(ramp.most, 8)
      ramp.failed(ramp.round, at)
      assert.strictEqual(ramp.most, 4)
    }
    assert.strictEqual(ramp.advance(9_000), 9_500)
    ramp.failed(ramp.round, 9_000)
    assert.strictEqual(ramp.most, 8)
    assert.strictEqual(ramp.advance(11_500), undefined)
    assert.strictEqual(ramp.most, 64)
  })

  it.effect("an entry that works alone does so however few may be in flight, and nothing beside it", () => {
    const api = new ScriptedApi()
    api.answer = ({ eventId }) => ({ ...success, delay: eventId === "suspect" ? 2_500 : 100 })
    return withBacklog(
      api,
      300,
      () =>
        Effect.gen(function* () {
          yield* travel(5_000, 100)
          const others = api.attempts.filter(({ eventId }) => eventId !== "suspect")
          const [at = Number.NaN] = api.instants("suspect")
          assert.isBelow(at, 1_000)
          assert.isFalse(others.some((other) => other.at > at - 100 && other.at < at + 2_500))
          assert.strictEqual(others.filter((other) => other.at === at + 2_500).length, 16)
        }),
      (redis) =>
        Effect.gen(function* () {
          yield* redis.send("XGROUP", "CREATE", transcribe, group, "0", "MKSTREAM")
          const id = yield* addEvent(redis, "suspect")
          yield* redis.send("XREADGROUP", "GROUP", group, "consumer-1", "STREAMS", transcribe, ">")
          yield* redis.send("XCLAIM", transcribe, group, "consumer-1", "0", id, "RETRYCOUNT", "2", "JUSTID")
        })
    )
  })
})
