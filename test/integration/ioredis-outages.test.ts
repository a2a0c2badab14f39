import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Result } from "effect"
import { afterAll, beforeAll } from "vitest"
import { classify } from "../../src/layers/redis/classify.ts"
import { Link } from "../../src/layers/redis/ioredis/link.ts"
import { settingsOf } from "../../src/layers/redis/ioredis/settings.ts"
import { atOnce, eventually, failureOf, withRedis } from "../support/redis-checks.ts"
import { redisCommand } from "../support/redis-command.ts"
import { freePort, RedisServer, waitUntil } from "../support/redis-server.ts"
import { TcpProxy } from "../support/tcp-proxy.ts"

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(() => server.stop())

describe("a server that is away", () => {
  it.live("neither holds up nor fails the layer; commands fail quickly and work once it is there", () =>
    Effect.gen(function* () {
      const late = yield* Effect.acquireRelease(
        Effect.promise(() => RedisServer.start()),
        (s) => Effect.promise(() => s.stop())
      )
      yield* Effect.promise(() => late.down())
      yield* withRedis({ url: late.url }, (redis) =>
        Effect.gen(function* () {
          const first = yield* failureOf(redis.send("PING"))
          assert.strictEqual(first.kind, "Unavailable")
          assert.isBelow(first.took, atOnce)
          const reserved = yield* failureOf(Effect.scoped(Effect.flatMap(redis.reserve, (c) => c.send("PING"))))
          assert.strictEqual(reserved.kind, "Unavailable")
          yield* Effect.promise(() => late.up())
          assert.strictEqual(yield* eventually(redis.send("PING")), "PONG")
          assert.strictEqual(yield* Effect.scoped(Effect.flatMap(redis.reserve, (c) => c.send("PING"))), "PONG")
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("killed under traffic fails what is in flight, sends nothing twice, and is found again", () =>
    Effect.gen(function* () {
      const killed = yield* Effect.acquireRelease(
        Effect.promise(() => RedisServer.start(["--appendonly", "yes"])),
        (s) => Effect.promise(() => s.stop())
      )
      yield* withRedis({ url: killed.url }, (redis) =>
        Effect.gen(function* () {
          let attempts = 0
          let acknowledged = 0
          let failed = 0
          const traffic = yield* Effect.forEach(
            Array.from({ length: 16 }, (_, i) => i),
            () =>
              Effect.gen(function* () {
                for (;;) {
                  attempts += 1
                  const exit = yield* Effect.exit(redis.send("INCR", "traffic"))
                  if (exit._tag === "Success") acknowledged += 1
                  else {
                    failed += 1
                    yield* Effect.sleep("5 millis")
                  }
                }
              }),
            { concurrency: "unbounded" }
          ).pipe(Effect.forkChild)
          const blocked = yield* Effect.scoped(
            Effect.flatMap(redis.reserve, (c) => failureOf(c.send("XREAD", "BLOCK", "30000", "STREAMS", "quiet", "$")))
          ).pipe(Effect.forkChild)
          yield* Effect.promise(() => waitUntil("traffic", () => acknowledged > 500))
          yield* Effect.promise(() => killed.down())
          assert.strictEqual((yield* Fiber.join(blocked)).kind, "Unavailable")
          yield* Effect.promise(() => waitUntil("failures", () => failed > 16))
          yield* Effect.promise(() => killed.up())
          const before = acknowledged
          yield* Effect.promise(() => waitUntil("traffic again", () => acknowledged > before + 500))
          yield* Fiber.interrupt(traffic)
          const counted = Number(yield* redis.send("GET", "traffic"))
          assert.isAtMost(counted, attempts)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("a port nobody listens on is no connection; a host without a name neither", () =>
    Effect.gen(function* () {
      const port = yield* Effect.promise(freePort)
      for (const url of [`redis://127.0.0.1:${port}`, "redis://no-such-host.invalid"]) {
        const { kind } = yield* failureOf(withRedis({ url }, (redis) => redis.send("PING")))
        assert.strictEqual(kind, "Unavailable")
      }
    })
  )
})

describe("a dead connection", () => {
  const proxied = Effect.acquireRelease(
    Effect.promise(() => TcpProxy.start(server.port)),
    (proxy) => Effect.promise(() => proxy.stop())
  )

  it.live("that swallows everything fails shared and blocking commands at their deadlines, and is replaced", () =>
    Effect.gen(function* () {
      const proxy = yield* proxied
      const options = { url: `redis://127.0.0.1:${proxy.port}`, commandDeadline: "500 millis" } as const
      yield* withRedis(options, (redis) =>
        Effect.gen(function* () {
          yield* redis.send("PING")
          const blocking = yield* Effect.scoped(
            Effect.gen(function* () {
              const connection = yield* redis.reserve
              yield* connection.send("PING")
              proxy.set("black-hole")
              return yield* failureOf(connection.send("XREAD", "BLOCK", "300", "STREAMS", "quiet", "$"))
            })
          ).pipe(Effect.forkChild)
          yield* Effect.promise(() => waitUntil("the black hole", () => proxy.mode === "black-hole"))
          const several = yield* Effect.forEach([1, 2, 3], () => failureOf(redis.send("PING")), {
            concurrency: "unbounded"
          })
          for (const one of several) {
            assert.strictEqual(one.kind, "Unavailable")
            assert.isAtLeast(one.took, 490)
            assert.match(classify(one.error).message, /no answer within 500 ms/)
          }
          const read = yield* Fiber.join(blocking)
          assert.strictEqual(read.kind, "Unavailable")
          assert.isAtLeast(read.took, 1_290)
          assert.match(classify(read.error).message, /no answer within 1300 ms/)
          proxy.set("pass")
          proxy.cut()
          assert.strictEqual(yield* eventually(redis.send("PING")), "PONG")
          assert.strictEqual(yield* Effect.scoped(Effect.flatMap(redis.reserve, (c) => c.send("PING"))), "PONG")
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("is not what an answer is that is long in coming, however small the deadline", () =>
    Effect.gen(function* () {
      const proxy = yield* Effect.acquireRelease(
        Effect.promise(() => TcpProxy.start(server.port)),
        (p) => Effect.promise(() => p.stop())
      )
      const value = "x".repeat(2_000_000)
      yield* withRedis({ url: server.url }, (redis) => redis.send("SET", "long", value))
      proxy.set({ bytesPerSecond: 1_000_000 })
      const options = { url: `redis://127.0.0.1:${proxy.port}`, commandDeadline: "500 millis" } as const
      yield* withRedis(options, (redis) =>
        Effect.gen(function* () {
          const [long, behind] = yield* Effect.all([redis.send<string>("GET", "long"), redis.send("PING")], {
            concurrency: 2
          })
          assert.deepStrictEqual([long.length, behind], [value.length, "PONG"])
          const reserved = Effect.scoped(Effect.flatMap(redis.reserve, (c) => c.send<string>("GET", "long")))
          assert.strictEqual((yield* reserved).length, value.length)
        })
      )
      // The shared connection and the reserved one.
      assert.strictEqual(proxy.accepted, 2)
    }).pipe(Effect.scoped)
  )

  it.live("is not what a process finds that was paused: an answer that came meanwhile is read", () =>
    withRedis({ url: server.url, commandDeadline: "200 millis" }, (redis) =>
      Effect.gen(function* () {
        yield* redis.send("PING")
        const asked = yield* Effect.forkChild(redis.send("PING"), { startImmediately: true })
        // The command leaves at the end of this turn of the event loop, in which the pause begins as well.
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500)
        assert.strictEqual(yield* Fiber.join(asked), "PONG")
      })
    )
  )

  it.live("that takes connections and never answers fails within the deadlines", () =>
    Effect.gen(function* () {
      const proxy = yield* proxied
      proxy.set("black-hole")
      const options = { url: `redis://127.0.0.1:${proxy.port}`, commandDeadline: "500 millis" } as const
      yield* withRedis(options, (redis) =>
        Effect.gen(function* () {
          const { kind, took } = yield* failureOf(redis.send("PING"))
          assert.strictEqual(kind, "Unavailable")
          assert.isBelow(took, atOnce)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("that is slow but alive is left alone, one that is cut is made anew", () =>
    Effect.gen(function* () {
      const proxy = yield* proxied
      yield* withRedis({ url: `redis://127.0.0.1:${proxy.port}` }, (redis) =>
        Effect.gen(function* () {
          const id = yield* redis.send("CLIENT", "ID")
          proxy.set(100)
          assert.strictEqual(yield* redis.send("CLIENT", "ID"), id)
          proxy.set("drop")
          assert.strictEqual((yield* failureOf(redis.send("PING"))).kind, "Unavailable")
          proxy.set("pass")
          assert.notStrictEqual(yield* eventually(redis.send("CLIENT", "ID")), id)
        })
      )
    }).pipe(Effect.scoped)
  )
})

describe("a master that was demoted", () => {
  it.live("is left for the one its name stands for by then, though it keeps its connections", () =>
    Effect.gen(function* () {
      const [old, next] = yield* Effect.promise(() => Promise.all([RedisServer.start(), RedisServer.start()]))
      const proxy = yield* Effect.promise(() => TcpProxy.start(old.port))
      yield* withRedis({ url: `redis://127.0.0.1:${proxy.port}` }, (redis) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* redis.send("SET", "k", "old"), "OK")
          yield* Effect.promise(() => redisCommand(old.port, "REPLICAOF", "127.0.0.1", `${next.port}`))
          proxy.retarget(next.port)
          assert.strictEqual((yield* failureOf(redis.send("SET", "k", "Refused"))).kind, "ReadOnly")
          yield* eventually(redis.send("SET", "k", "new"))
          assert.strictEqual(yield* Effect.promise(() => redisCommand(next.port, "GET", "k")), "new")
        })
      ).pipe(Effect.ensuring(Effect.promise(() => Promise.all([proxy.stop(), old.stop(), next.stop()]))))
    })
  )

  it("costs a connection that is made anew no patience, however often: once it is master again, it is written to", async () => {
    const settings = Result.getOrThrow(settingsOf({ url: Redacted.make(server.url) }))
    const link = new Link(settings.address, settings, true)
    try {
      await waitUntil("it is up", () => link.isUp)
      const began = performance.now()
      for (let i = 0; i < 8; i++) {
        link.renew(new Error("READONLY"))
        await waitUntil("it is left", () => !link.isUp)
        await waitUntil("it is up again", () => link.isUp)
      }
      // As failed attempts these would have been waited for 3.6 seconds at the least.
      assert.isBelow(performance.now() - began, 3_000)
    } finally {
      link.close()
    }
  })
})
