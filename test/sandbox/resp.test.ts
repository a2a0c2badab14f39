import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Schedule } from "effect"
import { Redis as Client } from "ioredis"
import { serveResp } from "../../sandbox/resp/server.ts"
import * as IoRedis from "../../src/layers/redis/ioredis/IoRedis.ts"
import { type MemoryEngine, makeEngine } from "../../src/layers/redis/memory/MemoryRedis.ts"
import { Redis } from "../../src/services/Redis.ts"
import * as Scripts from "../../src/services/Scripts.ts"
import { waitUntil } from "../support/redis-server.ts"

const start = Effect.gen(function* () {
  const engine = yield* makeEngine
  const port = yield* serveResp(engine, 0)
  const layer = IoRedis.layer({ url: Redacted.make(`redis://127.0.0.1:${port}`) })
  return { engine, port, layer }
})

/** Waits until so many clients are blocked. */
const blockedClients = (engine: MemoryEngine, count: number) =>
  engine
    .connection()
    .send<string>("INFO", "clients")
    .pipe(
      Effect.repeat({
        schedule: Schedule.spaced("10 millis"),
        until: (text) => text.includes(`blocked_clients:${count}\r\n`)
      }),
      Effect.timeout("10 seconds")
    )

/** What a client that speaks bytes gets back. */
const conversation = (port: number, bytes: ReadonlyArray<string | Buffer>, expected: string) =>
  Effect.promise(async () => {
    const socket = connect(port, "127.0.0.1")
    let heard = ""
    socket.on("data", (data) => {
      heard += data.toString("latin1")
    })
    for (const part of bytes) {
      socket.write(part)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await waitUntil("the whole answer is there", () => heard.length >= expected.length)
    socket.destroy()
    assert.strictEqual(heard, expected)
  })

describe("the memory engine served as a Redis server", () => {
  it.live("serves the collector's own Redis layer: commands, scripts, blocking reads and bytes", () =>
    Effect.gen(function* () {
      const { layer } = yield* start
      yield* Effect.gen(function* () {
        const redis = yield* Redis
        assert.strictEqual(yield* redis.send("PING"), "PONG")
        yield* redis.send("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        const reader = yield* redis.reserve
        const read = yield* Effect.forkChild(
          reader.send("XREADGROUP", "GROUP", "g", "c", "BLOCK", "10000", "STREAMS", "s", ">")
        )
        const id = yield* redis.send<string>("XADD", "s", "*", "field", "caf\u00e9 \udcff")
        assert.deepStrictEqual(yield* Fiber.join(read), [["s", [[id, ["field", "caf\u00e9 \udcff"]]]]])
        const args = ["2", "s", "t", "g", "c", id, "0", "moved", "yes"]
        assert.strictEqual(yield* redis.send("EVAL", Scripts.move.lua, ...args), 1)
        assert.strictEqual(yield* redis.send("EVAL", Scripts.move.lua, ...args), 0)
        const error = yield* Effect.flip(redis.send("XADD", "t", "*", "odd"))
        assert.include(String(error.cause), "ERR wrong number of arguments for 'xadd' command")
      }).pipe(Effect.scoped, Effect.provide(layer))
    })
  )

  it.live("ends a blocked read with its connection, so that the entry goes to who still listens", () =>
    Effect.gen(function* () {
      const { engine, layer } = yield* start
      yield* Effect.gen(function* () {
        const redis = yield* Redis
        yield* redis.send("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        const blocked = Effect.scoped(
          Effect.flatMap(redis.reserve, (c) =>
            c.send("XREADGROUP", "GROUP", "g", "gone", "BLOCK", "0", "STREAMS", "s", ">")
          )
        )
        const gone = yield* Effect.forkChild(blocked)
        yield* blockedClients(engine, 1)
        yield* Fiber.interrupt(gone)
        yield* blockedClients(engine, 0)
        yield* redis.send("XADD", "s", "*", "a", "1")
        const pending = yield* redis.send("XPENDING", "s", "g")
        assert.deepStrictEqual(pending, [0, null, null, null])
      }).pipe(Effect.provide(layer))
    })
  )

  it.live("answers pipelines in order, a blocking command in the midst of one included", () =>
    Effect.gen(function* () {
      const { engine, port } = yield* start
      const client = new Client(port, "127.0.0.1")
      const pipeline = Array.from({ length: 2_000 }, (_, i) => client.call("XADD", "p", `${i + 1}-0`, "n", `${i}`))
      const ids = yield* Effect.promise(() => Promise.all(pipeline))
      assert.deepStrictEqual(
        ids,
        Array.from({ length: 2_000 }, (_, i) => `${i + 1}-0`)
      )

      const order: Array<string> = []
      const note = (what: string) => () => order.push(what)
      const all = [
        client.call("XREAD", "BLOCK", "10000", "STREAMS", "q", "$").then(note("blocked")),
        client.call("PING").then(note("ping"))
      ]
      yield* blockedClients(engine, 1)
      assert.deepStrictEqual(order, [])
      yield* engine.connection().send("XADD", "q", "*", "a", "1")
      yield* Effect.promise(() => Promise.all(all))
      assert.deepStrictEqual(order, ["blocked", "ping"])
      client.disconnect()
    })
  )

  it.live("speaks the protocol to the letter, however the bytes are cut", () =>
    Effect.gen(function* () {
      const { port } = yield* start
      yield* conversation(port, ["PING\r\n", "*1\r\n$4\r\nPI", "NG\r", "\n"], "$4\r\nPONG\r\n$4\r\nPONG\r\n")
      yield* conversation(
        port,
        [Buffer.from("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\xff\r\n\r\n", "latin1"), "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"],
        "$2\r\nOK\r\n$3\r\n\xff\r\n\r\n"
      )
      yield* conversation(port, ["GET none\r\nXLEN none\r\n"], "$-1\r\n:0\r\n")
      yield* conversation(
        port,
        ["HELLO 3\r\nSELECT 1\r\n"],
        "-NOPROTO unsupported protocol version\r\n-ERR DB index is out of range\r\n"
      )
      yield* conversation(port, ["*1\r\n+PING\r\n"], "-ERR Protocol error: expected '$', got '+'\r\n")
      yield* conversation(port, ["*1\r\n$-1\r\n"], "-ERR Protocol error: invalid bulk length\r\n")
    })
  )
})
