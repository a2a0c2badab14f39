/** What goes wrong with Redis Streams, at exact instants: groups and entries that vanish, owners that died. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Metric } from "effect"
import { TestClock } from "effect/testing"
import { decodeAbandonedEntry } from "../../src/domain/delivery/dlq.ts"
import { JobCollector } from "../../src/JobCollector.ts"
import * as Metrics from "../../src/services/Metrics.ts"
import type { Redis } from "../../src/services/Redis.ts"
import { transcribeFields } from "../support/events.ts"
import { ScriptedApi, settle, success, travel, withCollector } from "../support/time-machine.ts"

const source = "modelsgateway:events:transcribe"
const dlq = "modelsgateway:events:dlq"
const abandonedStream = "modelsgateway:events:abandoned"
const group = "job-collector-group"
const claimIdle = Duration.seconds(60)

type RedisService = Redis["Service"]

const add = (redis: RedisService, id: string) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    redis.send<string>("XADD", source, "*", ...transcribeFields(id, now))
  )

const pending = (redis: RedisService, stream = source) =>
  redis.send<ReadonlyArray<readonly [id: string, consumer: string, idle: number, deliveries: number]>>(
    "XPENDING",
    stream,
    group,
    "-",
    "+",
    "1000"
  )

/** Puts an entry that is done back into the hands of a consumer that never works on it. */
const handOut = (redis: RedisService, consumer: string, id: string, deliveries = 1) =>
  redis.send("XCLAIM", source, group, consumer, "0", id, "RETRYCOUNT", `${deliveries}`, "FORCE", "JUSTID")

const countOf = (metric: Metric.Metric<number, Metric.CounterState<number>>) =>
  Effect.map(Metric.value(metric), ({ count }) => count)

/** An API that refuses everything after a while, so that the circuit opens and entries wait, owned, until it recovers. */
const outage = () => {
  const api = new ScriptedApi()
  api.answer = () => ({ status: 503, delay: 100 })
  const recover = () => {
    api.answer = () => success
  }
  return { api, recover }
}

const delivered = (api: ScriptedApi) => new Set(api.attempts.map(({ eventId }) => eventId))

describe("a consumer group that is gone", () => {
  it.effect("what this process owned in it is its own again, and everything is delivered", () => {
    const { api, recover } = outage()
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        for (let i = 0; i < 40; i++) yield* add(redis, `evt-${i}`)
        yield* travel(1_000)
        const owned = (yield* pending(redis)).length
        assert.isAbove(owned, 10)
        yield* redis.send("XGROUP", "DESTROY", source, group)
        yield* travel(10_000)
        assert.strictEqual((yield* pending(redis)).length, owned)
        recover()
        const before = api.attempts.length
        yield* travel(120_000)
        assert.strictEqual(delivered(api).size, 40)
        const after = api.attempts.slice(before).map(({ eventId }) => eventId)
        assert.strictEqual(new Set(after).size, after.length, "nothing was delivered twice")
        assert.strictEqual((yield* pending(redis)).length, 0)
        assert.strictEqual(yield* redis.send("XLEN", dlq), 0)
      })
    )
  })

  it.effect("an emptied Redis is worked on again within 10 s, and it is not ready before", () => {
    const api = new ScriptedApi()
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        const { health } = yield* JobCollector
        yield* add(redis, "evt-1")
        yield* travel(1_000)
        assert.isTrue((yield* health.ready).ready)
        for (const stream of [source, "modelsgateway:events:process", dlq]) yield* redis.send("DEL", stream)
        yield* add(redis, "evt-2")
        yield* travel(10_000)
        assert.strictEqual(delivered(api).size, 2)
        assert.isTrue((yield* health.ready).ready)
        assert.strictEqual((yield* pending(redis)).length, 0)
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
        for (let i = 0; i < 20; i++) ids.push(yield* add(redis, `evt-${i}`))
        yield* travel(1_000)
        const held = (yield* pending(redis)).map(([id]) => id)
        const victim = held[0] ?? ""
        yield* redis.send("XDEL", source, victim)
        yield* travel(20_000)
        assert.strictEqual((yield* countOf(Metrics.lostByRedis("deleted"))) - before, 1)
        recover()
        yield* travel(120_000)
        assert.strictEqual((yield* countOf(Metrics.lostByRedis("deleted"))) - before, 1)
        assert.strictEqual((yield* pending(redis)).length, 0)
        assert.strictEqual(ids.length, 20)
      })
    )
  })

  it.effect("unread ones that trimming ate are counted once", () => {
    const { api, recover } = outage()
    return withCollector(api, {}, (redis) =>
      Effect.gen(function* () {
        const before = yield* countOf(Metrics.lostByRedis("trimmed"))
        for (let i = 0; i < 12; i++) yield* add(redis, `evt-${i}`)
        yield* travel(1_000)
        // The circuit is open: nothing is read any more, but for one that a waiting reader still gets.
        for (let i = 0; i < 10; i++) yield* add(redis, `late-${i}`)
        yield* settle
        const [flat = []] = yield* redis.send<ReadonlyArray<ReadonlyArray<unknown>>>("XINFO", "GROUPS", source)
        const unread = Number(flat[flat.indexOf("lag") + 1])
        assert.isAtLeast(unread, 9)
        yield* redis.send("XTRIM", source, "MAXLEN", "3")
        yield* travel(16_000)
        assert.strictEqual((yield* countOf(Metrics.lostByRedis("trimmed"))) - before, unread - 3)
        recover()
        yield* travel(120_000)
        assert.strictEqual((yield* countOf(Metrics.lostByRedis("trimmed"))) - before, unread - 3)
      })
    )
  })
})

describe("entries whose owner is gone", () => {
  it.effect("are taken over when they were idle for CLAIM_IDLE, not before", () => {
    const api = new ScriptedApi()
    return withCollector(api, { claimIdle }, (redis) =>
      Effect.gen(function* () {
        const id = yield* add(redis, "evt-1")
        yield* settle
        yield* handOut(redis, "died", id)
        yield* travel(59_000)
        assert.strictEqual(api.attempts.length, 1)
        yield* travel(4_000)
        assert.strictEqual(api.attempts.length, 2)
        assert.strictEqual((yield* pending(redis)).length, 0)
      })
    )
  })

  it.effect("so are those under its own name that this process does not know", () => {
    const api = new ScriptedApi()
    return withCollector(api, { claimIdle, consumerName: "me" }, (redis) =>
      Effect.gen(function* () {
        const id = yield* add(redis, "evt-1")
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
        const poison = yield* add(redis, "evt-poison")
        const healthy = yield* add(redis, "evt-healthy")
        yield* settle
        yield* handOut(redis, "died", poison, 10)
        yield* handOut(redis, "died", healthy, 9)
        api.attempts.length = 0
        yield* travel(70_000)
        assert.deepStrictEqual([...delivered(api)], ["evt-healthy"])
        const [[, fields] = []] = yield* redis.send<ReadonlyArray<readonly [string, Array<string>]>>(
          "XRANGE",
          abandonedStream,
          "-",
          "+"
        )
        const decoded = decodeAbandonedEntry(fields ?? [])
        assert(decoded._tag === "Success")
        assert.strictEqual(decoded.success.abandoned.reason, "poison")
        assert.strictEqual(decoded.success.abandoned.error_code, "POISON")
        assert.strictEqual(decoded.success.abandoned.attempts, 0)
        assert.strictEqual((yield* pending(redis)).length, 0)
      })
    )
  })
})

describe("a clean stop", () => {
  it.effect("gives up what it holds: free to take at once, its hand-out not counted", () => {
    const { api } = outage()
    return withCollector(api, { claimIdle }, (redis) =>
      Effect.gen(function* () {
        for (let i = 0; i < 30; i++) yield* add(redis, `evt-${i}`)
        yield* travel(1_000)
        yield* (yield* JobCollector).stop
        yield* settle
        const left = yield* pending(redis)
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
        yield* redis.send("XGROUP", "CREATE", source, "other", "0", "MKSTREAM")
        for (let i = 0; i < 10; i++) yield* add(redis, `evt-${i}`)
        yield* travel(31_000)
        assert.strictEqual(yield* redis.send("XLEN", source), 10, "the other group has read nothing")
        yield* redis.send("XREADGROUP", "GROUP", "other", "c", "NOACK", "COUNT", "4", "STREAMS", source, ">")
        yield* travel(31_000)
        assert.strictEqual(yield* redis.send("XLEN", source), 6)
      })
    )
  })

  it.effect("a consumer gone for a day is removed, unless entries are pending for it", () => {
    const api = new ScriptedApi()
    const names = (redis: RedisService) =>
      Effect.map(redis.send<ReadonlyArray<ReadonlyArray<unknown>>>("XINFO", "CONSUMERS", source, group), (infos) =>
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
          const id = yield* add(redis, "evt-1")
          yield* redis.send("XGROUP", "CREATE", source, group, "$")
          yield* handOut(redis, "busy", id)
          yield* redis.send("XGROUP", "CREATECONSUMER", source, group, "gone")
          yield* TestClock.adjust("24 hours")
          yield* redis.send("XGROUP", "CREATECONSUMER", source, group, "back")
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
          for (let i = 0; i < 60; i++) yield* add(redis, `evt-${i}`)
          yield* travel(300_000)
          assert.isAtMost(Math.max(...api.attempts.map(({ attempt }) => attempt)), 2)
          assert.isBelow(api.attempts.length, 80, "after the first few only probes are sent")
          api.answer = () => success
          yield* travel(200_000)
          assert.strictEqual(delivered(api).size, 60)
          assert.strictEqual(yield* redis.send("XLEN", abandonedStream), 0)
          assert.strictEqual(yield* redis.send("XLEN", dlq), 0)
          assert.strictEqual((yield* pending(redis)).length, 0)
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
        for (let i = 0; i < 300; i++) yield* add(redis, `evt-${i}`)
        yield* travel(70_000)
        assert.strictEqual(yield* redis.send("XLEN", dlq), 0)
        assert.strictEqual((yield* pending(redis)).length, 0)
        const ended = (yield* redis.send<number>("XLEN", abandonedStream)) ?? 0
        assert.isAtMost(ended, 9, "0.33 to the 4th")
        assert.isAtMost(api.attempts.length, 300 * 2)
      })
    )
  })
})
