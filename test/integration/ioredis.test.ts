import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { afterAll, beforeAll } from "vitest"
import { classify } from "../../src/layers/redis/classify.ts"
import { textOfBytes } from "../../src/services/Redis.ts"
import { atOnce, eventually, failureOf, withRedis } from "../support/redis-checks.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { TcpProxy } from "../support/tcp-proxy.ts"

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(() => server.stop())

/** Clients the server knows besides the one asking. */
const clients = (list: string, doing: string) => list.split("\n").filter((line) => line.includes(`cmd=${doing}`)).length

describe("commands", () => {
  it.live("are answered from the first one on, numbers, lists and nothing as what they are", () =>
    withRedis({ url: server.url }, (redis) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* redis.send("PING"), "PONG")
        assert.strictEqual(yield* redis.send("incr", "answers:n"), 1)
        assert.strictEqual(yield* redis.send("GET", "answers:none"), null)
        assert.deepStrictEqual(yield* redis.send("EVAL", "return {1, 'two', {'3'}, false}", "0"), [
          1,
          "two",
          ["3"],
          null
        ])
      })
    )
  )

  it.live("keep the bytes of text that is not UTF-8, both ways", () =>
    withRedis({ url: server.url }, (redis) =>
      Effect.gen(function* () {
        const broken = textOfBytes(Uint8Array.of(0x61, 0xff, 0xc3, 0x28, 0xf0, 0x9f, 0x98, 0x80, 0x80))
        const plain = "föö 😀 \ufffd \0"
        const id = yield* redis.send<string>("XADD", "bytes", "*", broken, plain, "n", "1")
        assert.deepStrictEqual(yield* redis.send("XRANGE", "bytes", "-", "+"), [[id, [broken, plain, "n", "1"]]])
        yield* redis.send("XGROUP", "CREATE", "bytes", "g", "0")
        assert.deepStrictEqual(yield* redis.send("XREADGROUP", "GROUP", "g", "c", "STREAMS", "bytes", ">"), [
          ["bytes", [[id, [broken, plain, "n", "1"]]]]
        ])
        assert.strictEqual(yield* redis.send("EVAL", "return #ARGV[1]", "0", broken), 9)
        assert.strictEqual(yield* redis.send("EVAL", "return ARGV[1]", "0", broken), broken)
      })
    )
  )

  it.live("fail with the kind of Redis's answer", () =>
    withRedis({ url: server.url }, (redis) =>
      Effect.gen(function* () {
        yield* redis.send("SET", "kinds:string", "x")
        yield* redis.send("XGROUP", "CREATE", "kinds:stream", "g", "$", "MKSTREAM")
        const kinds = yield* Effect.forEach(
          [
            ["XADD", "kinds:string", "*", "a", "1"],
            ["XREADGROUP", "GROUP", "none", "c", "STREAMS", "kinds:stream", ">"],
            ["XGROUP", "CREATE", "kinds:stream", "g", "$"],
            ["EVAL", "return redis.call('XADD', KEYS[1], '*', 'a', '1')", "1", "kinds:string"],
            ["NONSENSE", "secret-argument"]
          ] as const,
          ([name, ...args]) =>
            Effect.map(failureOf(redis.send(name, ...args)), ({ kind, error }) => {
              assert.notInclude(classify(error).message, "secret-argument")
              return kind
            })
        )
        assert.deepStrictEqual(kinds, ["WrongType", "NoGroup", "BusyGroup", "WrongType", "Other"])
      })
    )
  )

  it.live("fail with what a full server, a replica and a replica without its master answer", () =>
    withRedis({ url: server.url }, (redis) =>
      Effect.gen(function* () {
        const writing = Effect.map(failureOf(redis.send("XADD", "states", "*", "a", "1")), ({ kind }) => kind)
        const script = "return redis.call('XADD', KEYS[1], '*', 'a', '1')"
        yield* redis.send("CONFIG", "SET", "maxmemory", "1")
        assert.strictEqual(yield* writing, "OutOfMemory")
        assert.strictEqual((yield* failureOf(redis.send("EVAL", script, "1", "states"))).kind, "OutOfMemory")
        yield* redis.send("CONFIG", "SET", "maxmemory", "0")
        yield* redis.send("REPLICAOF", "127.0.0.1", "1")
        assert.strictEqual(yield* writing, "ReadOnly")
        assert.strictEqual((yield* failureOf(redis.send("EVAL", script, "1", "states"))).kind, "ReadOnly")
        // A connection that takes no writes is made anew meanwhile.
        yield* eventually(redis.send("CONFIG", "SET", "replica-serve-stale-data", "no"))
        assert.strictEqual((yield* failureOf(redis.send("XLEN", "states"))).kind, "Unavailable")
        yield* redis.send("REPLICAOF", "NO", "ONE")
        assert.isString(yield* redis.send("XADD", "states", "*", "a", "1"))
      })
    )
  )

  it.live("carry nothing of their arguments in an error", () =>
    withRedis({ url: server.url }, (redis) =>
      Effect.gen(function* () {
        yield* redis.send("SET", "args:string", "x")
        const { error } = yield* failureOf(redis.send("XADD", "args:string", "*", "field", "secret-value"))
        assert.instanceOf(error.cause, Error)
        assert.notInclude(JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause)), "secret-value")
        assert.notProperty(error.cause, "command")
      })
    )
  )

  it.live("go to the database of the url", () =>
    withRedis({ url: `${server.url}/3` }, (redis) =>
      Effect.gen(function* () {
        yield* redis.send("SET", "db:three", "yes")
        assert.match(yield* redis.send<string>("CLIENT", "INFO"), / db=3 /)
        yield* withRedis({ url: server.url }, (other) =>
          Effect.map(other.send("GET", "db:three"), (answer) => assert.isNull(answer))
        )
        const connection = yield* redis.reserve
        assert.strictEqual(yield* connection.send("GET", "db:three"), "yes")
      }).pipe(Effect.scoped)
    )
  )

  it.live("of 2,000 fibers at once are all answered, each with its own", () =>
    withRedis({ url: server.url }, (redis) =>
      Effect.gen(function* () {
        const n = 2_000
        const answers = yield* Effect.forEach(
          Array.from({ length: n }, (_, i) => `${i}`),
          (i) => redis.send("ECHO", i),
          {
            concurrency: "unbounded"
          }
        )
        assert.deepStrictEqual(
          answers,
          Array.from({ length: n }, (_, i) => `${i}`)
        )
      })
    )
  )

  it.live("of options that cannot be meant fail the layer, naming the rule and not the url", () =>
    Effect.gen(function* () {
      for (const url of ["http://user:hunter2@host", "nonsense hunter2", "redis://:hunter2@host/abc"]) {
        const { error } = yield* failureOf(withRedis({ url }, (redis) => redis.send("PING")))
        assert.match(classify(error).message, /Redis url/)
        assert.notInclude(classify(error).message, "hunter2")
      }
    })
  )
})

describe("reserved connections", () => {
  it.live("block without holding up the shared one, serve many commands, and dozens are there at once", () =>
    withRedis({ url: server.url }, (redis) =>
      Effect.gen(function* () {
        const n = 50
        const read = (i: number) =>
          Effect.scoped(
            Effect.gen(function* () {
              const connection = yield* redis.reserve
              const ids = [yield* connection.send("CLIENT", "ID")]
              yield* connection.send("XREAD", "BLOCK", "60000", "STREAMS", `many:${i}`, "$")
              ids.push(yield* connection.send("CLIENT", "ID"))
              assert.strictEqual(ids[0], ids[1])
            })
          )
        const readers = yield* Effect.forEach(
          Array.from({ length: n }, (_, i) => i),
          read,
          {
            concurrency: "unbounded"
          }
        ).pipe(Effect.forkChild)
        yield* eventually(
          Effect.flatMap(redis.send<string>("CLIENT", "LIST"), (list) =>
            clients(list, "xread") === n ? Effect.void : Effect.fail("not all block")
          )
        )
        for (let i = 0; i < n; i++) yield* redis.send("XADD", `many:${i}`, "*", "a", "1")
        yield* Fiber.join(readers)
      })
    )
  )

  it.live("end at once when a 30 s BLOCK is interrupted, and the server's side is gone", () =>
    withRedis({ url: server.url }, (redis) =>
      Effect.gen(function* () {
        const reader = yield* redis.reserve.pipe(
          Effect.flatMap((connection) => connection.send("BLPOP", "interrupted", "30")),
          Effect.scoped,
          Effect.forkChild
        )
        const blocked = (n: number) =>
          eventually(
            Effect.flatMap(redis.send<string>("CLIENT", "LIST"), (list) =>
              clients(list, "blpop") === n ? Effect.void : Effect.fail(`not ${n} blocked`)
            )
          )
        yield* blocked(1)
        const start = performance.now()
        yield* Fiber.interrupt(reader)
        yield* blocked(0)
        assert.isBelow(performance.now() - start, atOnce)
      })
    )
  )

  it.live("are not used again after a failure", () =>
    withRedis({ url: server.url }, (redis) =>
      Effect.gen(function* () {
        const use = (name: string, ...args: ReadonlyArray<string>) =>
          Effect.scoped(
            Effect.gen(function* () {
              const connection = yield* redis.reserve
              const id = yield* connection.send("CLIENT", "ID")
              yield* Effect.exit(connection.send(name, ...args))
              return id
            })
          )
        const first = yield* use("PING")
        assert.strictEqual(yield* use("NONSENSE"), first)
        assert.notStrictEqual(yield* use("PING"), first)
      })
    )
  )
})

describe("a closed layer", () => {
  it.live("leaves no connection open", () =>
    Effect.gen(function* () {
      const proxy = yield* Effect.acquireRelease(
        Effect.promise(() => TcpProxy.start(server.port)),
        (p) => Effect.promise(() => p.stop())
      )
      yield* withRedis({ url: `redis://127.0.0.1:${proxy.port}` }, (redis) =>
        Effect.scoped(Effect.flatMap(redis.reserve, (c) => Effect.andThen(c.send("PING"), redis.send("PING"))))
      )
      yield* Effect.promise(() => waitUntil("no connection", () => proxy.connections === 0))
    }).pipe(Effect.scoped)
  )
})
