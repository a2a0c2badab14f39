/** What goes wrong with Redis Streams, at exact instants: groups and entries that vanish, owners that died. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Metric } from "effect"
import { TestClock } from "effect/testing"
import { JobCollector } from "../../src/JobCollector.ts"
import * as Metrics from "../../src/services/Metrics.ts"
import type { Redis } from "../../src/services/Redis.ts"
import {
  abandoned,
  abandonedEvents,
  addEvent,
  dlq,
  group,
  lengthOf,
  pendingIn,
  processing,
  transcribe
} from "../support/streams.ts"
import { ScriptedApi, settle, success, travel, withCollector } from "../support/time-machine.ts"

const claimIdle = Duration.seconds(60)

/** Puts an entry that is done back into the hands of a consumer that never works on it. */
const handOut = (redis: Redis["Service"], consumer: string, id: string, deliveries = 1) =>
  redis.send("XCLAIM", transcribe, group, consumer, "0", id, "RETRYCOUNT", `${deliveries}`, "FORCE", "JUSTID")

const countOf = (metric: Metric.Metric<number, Metric.CounterState<number>>) =>
  Effect.map(Metric.value(metric), ({ count }) => count)

/** How long it takes from the start until all permits may be in use, in milliseconds. */
const rampMs = 4_000

/** An API that refuses everything after a while, so that the circuit opens and entries wait, owned, until it recovers. */
const outage = () => {
  const api = new ScriptedApi()
  api.answer = () => ({ status: 503, delay: 100 })
  const recover = () => {
    api.answer = () => success
  }
  return { api, recover }
}

describe("a consumer group that is gone", () => {
  it.effect("what this process owned in it is its own again, and everything is delivered", () => {
    const { api, recover } = outage()
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        yield* travel(rampMs)
        for (let i = 0; i < 40; i++) yield* addEvent(redis, `evt-${i}`)
        yield* travel(900)
        const owned = (yield* pendingIn(redis, transcribe)).length
        assert.isAbove(owned, 10)
        yield* redis.send("XGROUP", "DESTROY", transcribe, group)
        yield* travel(10_000)
        assert.strictEqual((yield* pendingIn(redis, transcribe)).length, owned)
        recover()
        const before = api.attempts.length
        yield* travel(120_000)
        assert.strictEqual(new Set(api.delivered).size, 40)
        const after = api.attempts.slice(before).map(({ eventId }) => eventId)
        assert.strictEqual(new Set(after).size, after.length, "nothing was delivered twice")
        assert.strictEqual((yield* pendingIn(redis, transcribe)).length, 0)
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
      })
    )
  })

  it.effect("an emptied Redis is worked on again within 10 s, and it is not ready before", () => {
    const api = new ScriptedApi()
    let creationTakes = Duration.zero
    return withCollector(
      api,
      {},
      (redis) =>
        Effect.gen(function* () {
          const { health } = yield* JobCollector
          yield* addEvent(redis, "evt-1")
          yield* travel(1_000)
          assert.isTrue((yield* health.ready).ready)
          creationTakes = Duration.seconds(3)
          for (const stream of [transcribe, processing, dlq]) yield* redis.send("DEL", stream)
          yield* addEvent(redis, "evt-2")
          yield* travel(2_900, 100)
          assert.deepStrictEqual(api.delivered, ["evt-1"])
          assert.isFalse((yield* health.ready).ready)
          yield* travel(7_100, 100)
          assert.deepStrictEqual(api.delivered, ["evt-1", "evt-2"])
          assert.isTrue((yield* health.ready).ready)
          assert.strictEqual((yield* pendingIn(redis, transcribe)).length, 0)
        }),
      undefined,
      (redis) => ({
        ...redis,
        send: (name, ...args) =>
          name === "XGROUP" ? Effect.delay(redis.send(name, ...args), creationTakes) : redis.send(name, ...args)
      })
    )
  })
})

describe("entries that Redis loses", () => {
  it.effect("one deleted while it waits is counted as lost; its neighbours are delivered", () => {
    const { api, recover } = outage()
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        const before = yield* countOf(Metrics.lostByRedis("deleted"))
        const ids: Array<string> = []
        for (let i = 0; i < 20; i++) ids.push(yield* addEvent(redis, `evt-${i}`))
        yield* travel(1_000)
        const held = (yield* pendingIn(redis, transcribe)).map(([id]) => id)
        const victim = held[0] ?? ""
        yield* redis.send("XDEL", transcribe, victim)
        yield* travel(20_000)
        assert.strictEqual((yield* countOf(Metrics.lostByRedis("deleted"))) - before, 1)
        recover()
        yield* travel(120_000)
        assert.strictEqual((yield* countOf(Metrics.lostByRedis("deleted"))) - before, 1)
        assert.strictEqual((yield* pendingIn(redis, transcribe)).length, 0)
        const neighbours = ids.flatMap((id, n) => (id === victim ? [] : [`evt-${n}`]))
        assert.strictEqual(neighbours.length, 19)
        assert.sameMembers(api.delivered, neighbours)
      })
    )
  })

  it.effect("unread ones that trimming ate are counted once", () => {
    const { api, recover } = outage()
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        const before = yield* countOf(Metrics.lostByRedis("trimmed"))
        for (let i = 0; i < 12; i++) yield* addEvent(redis, `evt-${i}`)
        yield* travel(1_000)
        // The circuit is open: nothing is read any more, but for one that a waiting reader still gets.
        for (let i = 0; i < 10; i++) yield* addEvent(redis, `late-${i}`)
        yield* settle
        const [flat = []] = yield* redis.send<ReadonlyArray<ReadonlyArray<unknown>>>("XINFO", "GROUPS", transcribe)
        const unread = Number(flat[flat.indexOf("lag") + 1])
        assert.isAtLeast(unread, 9)
        yield* redis.send("XTRIM", transcribe, "MAXLEN", "3")
        yield* travel(16_000)
        assert.strictEqual((yield* countOf(Metrics.lostByRedis("trimmed"))) - before, unread - 3)
        recover()
        yield* travel(120_000)
        assert.strictEqual((yield* countOf(Metrics.lostByRedis("trimmed"))) - before, unread - 3)
        const left = ["late-7", "late-8", "late-9"]
        assert.sameMembers(
          api.delivered.filter((id) => id.startsWith("late-")),
          left
        )
      })
    )
  })
})

describe("entries whose owner is gone", () => {
  it.effect("are taken over when they were idle for CLAIM_IDLE, not before", () => {
    const api = new ScriptedApi()
    return withCollector(api, { claimIdle }, (redis) =>
      Effect.gen(function* () {
        const id = yield* addEvent(redis, "evt-1")
        yield* settle
        yield* handOut(redis, "died", id)
        yield* travel(59_000)
        assert.strictEqual(api.attempts.length, 1)
        yield* travel(4_000)
        assert.strictEqual(api.attempts.length, 2)
        assert.strictEqual((yield* pendingIn(redis, transcribe)).length, 0)
      })
    )
  })

  it.effect("so are those under its own name that this process does not know", () => {
    const api = new ScriptedApi()
    return withCollector(api, { claimIdle, consumerName: "me" }, (redis) =>
      Effect.gen(function* () {
        const id = yield* addEvent(redis, "evt-1")
        yield* settle
        yield* handOut(redis, "me", id)
        yield* travel(59_000)
        assert.strictEqual(api.attempts.length, 1)
        yield* travel(4_000)
        assert.strictEqual(api.attempts.length, 2)
      })
    )
  })

  it.effect("the 11th hand-out without an end is poison; the 10th is delivered", () => {
    const api = new ScriptedApi()
    return withCollector(api, { claimIdle }, (redis) =>
      Effect.gen(function* () {
        const poison = yield* addEvent(redis, "evt-poison")
        const healthy = yield* addEvent(redis, "evt-healthy")
        yield* settle
        yield* handOut(redis, "died", poison, 10)
        yield* handOut(redis, "died", healthy, 9)
        const before = api.delivered.length
        yield* travel(70_000)
        assert.deepStrictEqual(api.delivered.slice(before), ["evt-healthy"])
        const [end] = yield* abandonedEvents(redis)
        assert.strictEqual(end?.abandoned.reason, "poison")
        assert.strictEqual(end?.abandoned.error_code, "POISON")
        assert.strictEqual(end?.abandoned.attempts, 0)
        assert.strictEqual((yield* pendingIn(redis, transcribe)).length, 0)
      })
    )
  })
})

describe("a clean stop", () => {
  it.effect("gives up what it holds: free to take at once, its hand-out not counted", () => {
    const { api } = outage()
    return withCollector(api, { claimIdle }, (redis) =>
      Effect.gen(function* () {
        yield* travel(rampMs)
        for (let i = 0; i < 30; i++) yield* addEvent(redis, `evt-${i}`)
        yield* travel(1_000)
        yield* (yield* JobCollector).stop
        yield* settle
        const left = yield* pendingIn(redis, transcribe)
        assert.isAbove(left.length, 5)
        for (const [id, , idle, deliveries] of left) {
          assert.isAtLeast(idle, Duration.toMillis(claimIdle), id)
          assert.strictEqual(deliveries, 0, id)
        }
      })
    )
  })
})

describe("housekeeping", () => {
  it.effect("SOURCE_RETENTION=acknowledged removes what every group has acknowledged, and nothing else", () => {
    const api = new ScriptedApi()
    return withCollector(api, { sourceRetention: "acknowledged" }, (redis) =>
      Effect.gen(function* () {
        yield* redis.send("XGROUP", "CREATE", transcribe, "other", "0", "MKSTREAM")
        for (let i = 0; i < 10; i++) yield* addEvent(redis, `evt-${i}`)
        yield* travel(31_000)
        assert.strictEqual(yield* lengthOf(redis, transcribe), 10, "the other group has read nothing")
        yield* redis.send("XREADGROUP", "GROUP", "other", "c", "NOACK", "COUNT", "4", "STREAMS", transcribe, ">")
        yield* travel(31_000)
        assert.strictEqual(yield* lengthOf(redis, transcribe), 6)
      })
    )
  })

  it.effect("a consumer gone for a day is removed, unless entries are pending for it", () => {
    const api = new ScriptedApi()
    const names = (redis: Redis["Service"]) =>
      Effect.map(redis.send<ReadonlyArray<ReadonlyArray<unknown>>>("XINFO", "CONSUMERS", transcribe, group), (infos) =>
        infos.map((info) => info[info.indexOf("name") + 1])
      )
    return withCollector(
      api,
      { claimIdle: Duration.days(3) },
      (redis) =>
        Effect.gen(function* () {
          yield* travel(31_000)
          const left = yield* names(redis)
          assert.includeMembers(left, ["busy", "back"])
          assert.notInclude(left, "gone")
        }),
      (redis) =>
        Effect.gen(function* () {
          const id = yield* addEvent(redis, "evt-1")
          yield* redis.send("XGROUP", "CREATE", transcribe, group, "$")
          yield* handOut(redis, "busy", id)
          yield* redis.send("XGROUP", "CREATECONSUMER", transcribe, group, "gone")
          yield* TestClock.adjust("24 hours")
          yield* redis.send("XGROUP", "CREATECONSUMER", transcribe, group, "back")
          assert.deepStrictEqual(yield* names(redis), ["back", "busy", "gone"])
        })
    )
  })
})

describe("an API that refuses everything", () => {
  for (const status of [401, 403, 404, 429, 502, 504]) {
    it.effect(`with ${status}: no attempt is burnt after the circuit opens, all is delivered afterwards`, () => {
      const api = new ScriptedApi()
      api.answer = () => ({ status })
      return withCollector(api, {}, (redis) =>
        Effect.gen(function* () {
          for (let i = 0; i < 60; i++) yield* addEvent(redis, `evt-${i}`)
          yield* travel(300_000)
          assert.isAtMost(Math.max(...api.attempts.map(({ attempt }) => attempt)), 2)
          assert.isBelow(api.attempts.length, 80, "after the first few only probes are sent")
          api.answer = () => success
          yield* travel(200_000)
          assert.strictEqual(new Set(api.delivered).size, 60)
          assert.strictEqual(yield* lengthOf(redis, abandoned), 0)
          assert.strictEqual(yield* lengthOf(redis, dlq), 0)
          assert.strictEqual((yield* pendingIn(redis, transcribe)).length, 0)
        })
      )
    })
  }

  it.effect("when a third of the requests fail the circuit stays closed and all but a few come through", () => {
    const api = new ScriptedApi()
    let asked = 0
    api.answer = () => (asked++ % 3 === 0 ? { status: 500 } : success)
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        for (let i = 0; i < 300; i++) yield* addEvent(redis, `evt-${i}`)
        yield* travel(70_000)
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
        assert.strictEqual((yield* pendingIn(redis, transcribe)).length, 0)
        const ended = yield* lengthOf(redis, abandoned)
        assert.isAtMost(ended, 9, "0.33 to the 4th")
        assert.isAtMost(api.attempts.length, 300 * 2)
      })
    )
  })
})

it.effect("answers of 1.7e308 credits leave a counter that still counts", () => {
  const api = new ScriptedApi()
  api.answer = () => ({ status: 200, body: { job_id: "j1", credits_deducted: 1.7e308 } })
  return withCollector(api, {}, (redis) =>
    Effect.gen(function* () {
      const before = yield* countOf(Metrics.creditsDeducted)
      for (const id of ["evt-1", "evt-2"]) yield* addEvent(redis, id)
      yield* travel(1_000)
      const { length } = api.instants("evt-2")
      assert.strictEqual(length, 1)
      assert.closeTo((yield* countOf(Metrics.creditsDeducted)) - before, 2 * Number.MAX_SAFE_INTEGER, 4)
    })
  )
})
