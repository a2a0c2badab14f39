import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Queue } from "effect"
import { TestClock } from "effect/testing"
import { layer, layerOf, makeEngine } from "../../src/layers/redis/memory/MemoryRedis.ts"
import { Redis } from "../../src/services/Redis.ts"
import * as Scripts from "../../src/services/Scripts.ts"
import { call, send, steps } from "../contracts/steps.ts"

const readGroup = (consumer: string, ms: number) => send(`XREADGROUP GROUP g ${consumer} BLOCK ${ms} STREAMS s >`)
const group = send("XGROUP CREATE s g 0 MKSTREAM")
const blocked = Effect.map(send<string>("INFO clients"), (info) => Number(/blocked_clients:(\d+)/.exec(info)?.[1]))
const isDone = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.pollUnsafe() !== undefined

describe("the memory engine under a clock of its own", () => {
  it.effect("takes ids and the time from it", () =>
    Effect.gen(function* () {
      yield* steps(["XADD s * n 1", "0-1"], ["XADD s * n 1", "0-2"], ["TIME", ["0", "0"]])
      yield* TestClock.adjust("1500 millis")
      yield* steps(["XADD s * n 1", "1500-0"], ["XADD s * n 1", "1500-1"], ["TIME", ["1", "500000"]])
    }).pipe(Effect.provide(layer))
  )

  it.effect("ends a waiting read at the very instant its time is up", () =>
    Effect.gen(function* () {
      yield* group
      const read = yield* Effect.forkChild(readGroup("a", 5_000), { startImmediately: true })
      yield* TestClock.adjust("4999 millis")
      assert.isFalse(isDone(read))
      assert.strictEqual(yield* blocked, 1)
      yield* TestClock.adjust("1 millis")
      assert.isTrue(isDone(read))
      assert.strictEqual(yield* Fiber.join(read), null)
      assert.strictEqual(yield* blocked, 0)
    }).pipe(Effect.provide(layer))
  )

  it.effect("serves a waiting read without any time passing, up to its last millisecond", () =>
    Effect.gen(function* () {
      yield* group
      const read = yield* Effect.forkChild(readGroup("a", 5_000), { startImmediately: true })
      yield* TestClock.adjust("4999 millis")
      yield* steps(["XADD s * n 1", "4999-0"])
      assert.deepStrictEqual(yield* Fiber.join(read), [["s", [["4999-0", ["n", "1"]]]]])
      yield* steps(["XPENDING s g - + 10", [["4999-0", "a", 0, 1]]])
    }).pipe(Effect.provide(layer))
  )

  it.effect("hands an entry written at the deadline to the read or leaves it unread, never in between", () =>
    Effect.gen(function* () {
      yield* group
      const read = yield* Effect.forkChild(readGroup("a", 5_000), { startImmediately: true })
      const write = yield* Effect.forkChild(Effect.andThen(Effect.sleep("5 seconds"), send("XADD s * n 1")))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(write)
      const reply = yield* Fiber.join(read)
      const [pending] = yield* send<[number]>("XPENDING s g")
      assert.strictEqual(pending, reply === null ? 0 : 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("a week of waiting reads costs one wake-up each", () =>
    Effect.gen(function* () {
      yield* group
      const loop = yield* Effect.forkChild(Effect.repeat(readGroup("a", 3_600_000), { times: 7 * 24 - 1 }))
      yield* TestClock.adjust("7 days")
      assert.isTrue(isDone(loop))
      assert.strictEqual(yield* blocked, 0)
    }).pipe(Effect.provide(layer))
  )

  it.effect("an interrupted read leaves the queue, and later entries go to those who wait", () =>
    Effect.gen(function* () {
      yield* group
      const gone = yield* Effect.forkChild(readGroup("a", 0), { startImmediately: true })
      const waiting = yield* Effect.forkChild(readGroup("b", 0), { startImmediately: true })
      assert.strictEqual(yield* blocked, 2)
      yield* Fiber.interrupt(gone)
      assert.strictEqual(yield* blocked, 1)
      yield* steps(["XADD s 1-1 n 1", "1-1"])
      assert.deepStrictEqual(yield* Fiber.join(waiting), [["s", [["1-1", ["n", "1"]]]]])
      assert.isTrue(Exit.isFailure(yield* Fiber.await(gone)))
      yield* steps(["XPENDING s g - + 10", [["1-1", "b", 0, 1]]])
    }).pipe(Effect.provide(layer))
  )

  it.effect("counts idle times exactly", () =>
    Effect.gen(function* () {
      yield* group
      yield* steps(["XADD s 1-1 n 1", "1-1"], ["XREADGROUP GROUP g a STREAMS s >", [["s", [["1-1", ["n", "1"]]]]]])
      yield* TestClock.adjust("59999 millis")
      yield* steps(
        ["XPENDING s g - + 10", [["1-1", "a", 59_999, 1]]],
        ["XINFO CONSUMERS s g", [["name", "a", "pending", 1, "idle", 59_999]]],
        ["XAUTOCLAIM s g b 60000 0 JUSTID", ["0-0", [], []]]
      )
      yield* TestClock.adjust("1 millis")
      yield* steps(["XAUTOCLAIM s g b 60000 0 JUSTID", ["0-0", ["1-1"], []]])
    }).pipe(Effect.provide(layer))
  )

  it.effect("lets keys lapse at the very instant", () =>
    Effect.gen(function* () {
      const take = (token: string) => call(Scripts.lease, ["lease"], [token, "5000"])
      yield* steps([take("one"), 1])
      yield* TestClock.adjust("4999 millis")
      yield* steps([take("two"), 0], ["PTTL lease", 1])
      yield* TestClock.adjust("1 millis")
      yield* steps(["PTTL lease", -2], [take("two"), 1], [take("one"), 0], ["PTTL lease", 5_000])
    }).pipe(Effect.provide(layer))
  )

  it.effect("releases entries for others at once, although the clock started at 0", () =>
    Effect.gen(function* () {
      yield* group
      yield* steps(
        ["XADD s 1-1 n 1", "1-1"],
        ["XREADGROUP GROUP g a STREAMS s >", [["s", [["1-1", ["n", "1"]]]]]],
        [call(Scripts.release, ["s"], ["g", "a", "60000", "1-1", "0"]), 1],
        ["XAUTOCLAIM s g b 60000 0 JUSTID", ["0-0", ["1-1"], []]]
      )
    }).pipe(Effect.provide(layer))
  )
})

describe("the memory engine's layers", () => {
  it.effect("give each build an engine of its own, or share one", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine
      const shared = layerOf(engine)
      yield* Effect.provide(steps(["SET k v", "OK"]), shared)
      yield* Effect.provide(steps(["GET k", "v"]), layerOf(engine))
      assert.strictEqual(yield* engine.connection().send("GET", "k"), "v")
      yield* Effect.provide(steps(["SET k v", "OK"]), Layer.fresh(layer))
      yield* Effect.provide(steps(["GET k", null]), Layer.fresh(layer))
    })
  )

  it.effect("reserve any number of connections at once, and refuse what they do not have", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      const connections = yield* Effect.all(Array.from({ length: 100 }, () => redis.reserve))
      assert.deepStrictEqual(
        yield* Effect.forEach(connections, (connection) => connection.send("PING")),
        connections.map(() => "PONG")
      )
      const lua = yield* Effect.flip(redis.send("EVAL", "return 1", "0"))
      assert.include(String(lua.cause), "runs no Lua")
      const messages = yield* redis.subscribe("channel")
      assert.include(String((yield* Effect.flip(Queue.take(messages))).cause), "no publish and subscribe")
    }).pipe(Effect.scoped, Effect.provide(layer))
  )
})
