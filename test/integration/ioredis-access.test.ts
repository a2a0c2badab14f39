import { connect, createServer, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { afterAll, beforeAll } from "vitest"
import { classify } from "../../src/layers/redis/classify.ts"
import { atOnce, eventually, failureOf, withRedis } from "../support/redis-checks.ts"
import { redisCommand } from "../support/redis-command.ts"
import { freePort, RedisServer } from "../support/redis-server.ts"
import { TcpProxy } from "../support/tcp-proxy.ts"
import { TlsAuthority } from "../support/tls-authority.ts"

const scopedServer = (args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.promise(() => RedisServer.start(args)),
    (server) => Effect.promise(() => server.stop())
  )

describe("a password", () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await RedisServer.start(["--requirepass", "p@ss:w/rd"])
  })
  afterAll(() => server.stop())

  it.live("is taken from the url or in its place, on shared and private connections", () =>
    Effect.gen(function* () {
      const encoded = encodeURIComponent("p@ss:w/rd")
      const ways = [
        { url: `redis://:${encoded}@127.0.0.1:${server.port}` },
        { url: `redis://default:${encoded}@127.0.0.1:${server.port}/1` },
        { url: `redis://:wrong@127.0.0.1:${server.port}`, password: Redacted.make("p@ss:w/rd") },
        { url: server.url, password: Redacted.make("p@ss:w/rd") }
      ]
      for (const way of ways) {
        yield* withRedis(way, (redis) =>
          Effect.gen(function* () {
            assert.strictEqual(yield* redis.send("PING"), "PONG")
            assert.strictEqual(yield* Effect.scoped(Effect.flatMap(redis.reserve, (c) => c.send("PING"))), "PONG")
          })
        )
      }
    })
  )

  it.live("that is wrong or missing is a refusal, of every command, and is never shown", () =>
    Effect.gen(function* () {
      const ways = [
        { url: `redis://:hunter2@127.0.0.1:${server.port}`, says: /WRONGPASS/ },
        { url: `redis://nobody:hunter2@127.0.0.1:${server.port}`, says: /WRONGPASS/ },
        { url: server.url, says: /NOAUTH/ }
      ]
      for (const { url, says } of ways) {
        yield* withRedis({ url }, (redis) =>
          Effect.gen(function* () {
            const reserved = Effect.scoped(Effect.flatMap(redis.reserve, (c) => c.send("PING")))
            for (const command of [redis.send("PING"), redis.send("GET", "k"), reserved]) {
              const { kind, error, took } = yield* failureOf(command)
              assert.strictEqual(kind, "Refused")
              assert.match(classify(error).message, says)
              assert.notInclude(classify(error).message, "hunter2")
              assert.isBelow(took, atOnce)
            }
          })
        )
      }
    })
  )

  it.live("that a server without one does not know is let pass", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const open = yield* scopedServer([])
        assert.strictEqual(
          yield* withRedis({ url: `redis://:needless@127.0.0.1:${open.port}` }, (redis) => redis.send("PING")),
          "PONG"
        )
      })
    )
  )

  it.live("that is put right on the server is found so", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const changing = yield* scopedServer([])
        yield* Effect.promise(() => redisCommand(changing.port, "ACL", "SETUSER", "collector", "on", ">old", "+@all"))
        yield* withRedis({ url: `redis://collector:new@127.0.0.1:${changing.port}` }, (redis) =>
          Effect.gen(function* () {
            assert.strictEqual((yield* failureOf(redis.send("PING"))).kind, "Refused")
            yield* Effect.promise(() => redisCommand(changing.port, "ACL", "SETUSER", "collector", ">new"))
            assert.strictEqual(yield* eventually(redis.send("PING")), "PONG")
          })
        )
      })
    )
  )

  it.live("of a user without permission is a refusal where the permission lacks, without its arguments", () =>
    Effect.gen(function* () {
      yield* withRedis({ url: server.url, password: Redacted.make("p@ss:w/rd") }, (redis) =>
        redis.send("ACL", "SETUSER", "reader", "on", ">sesame", "~events:*", "+xreadgroup", "+xack")
      )
      yield* withRedis({ url: `redis://reader:sesame@127.0.0.1:${server.port}` }, (redis) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* redis.send("XACK", "events:a", "g", "1-1"), 0)
          const lacking = yield* failureOf(redis.send("XADD", "events:a", "*", "field", "secret-value"))
          assert.strictEqual(lacking.kind, "Refused")
          assert.match(classify(lacking.error).message, /NOPERM/)
          assert.notInclude(classify(lacking.error).message, "secret-value")
          assert.strictEqual((yield* failureOf(redis.send("XACK", "Other", "g", "1-1"))).kind, "Refused")
          assert.strictEqual(yield* redis.send("XACK", "events:a", "g", "1-1"), 0)
        })
      )
    })
  )
})

describe("TLS", () => {
  let authority: TlsAuthority
  let server: RedisServer
  let port: number
  beforeAll(async () => {
    authority = new TlsAuthority()
    port = await freePort()
    server = await RedisServer.start([
      ...["--tls-port", `${port}`, "--tls-auth-clients", "no", "--tls-ca-cert-file", authority.caFile],
      ...["--tls-cert-file", authority.certificateFile, "--tls-key-file", authority.keyFile]
    ])
  })
  afterAll(async () => {
    await server.stop()
    authority.remove()
  })

  it.live("trusts the private authority, by name and by address, on shared and private connections", () =>
    Effect.forEach(["localhost", "127.0.0.1"], (host) =>
      withRedis({ url: `rediss://${host}:${port}`, tlsCa: authority.ca }, (redis) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* redis.send("PING"), "PONG")
          const read = Effect.flatMap(redis.reserve, (c) => c.send("XREAD", "BLOCK", "10", "STREAMS", "s", "$"))
          assert.isNull(yield* Effect.scoped(read))
        })
      )
    )
  )

  it.live("refuses an authority nobody named, and a server that speaks none", () =>
    Effect.gen(function* () {
      for (const options of [
        { url: `rediss://127.0.0.1:${port}` },
        // It waits for the rest of what it takes for a command.
        { url: `rediss://127.0.0.1:${server.port}`, tlsCa: authority.ca, connectTimeout: "1 second" } as const
      ]) {
        const { error, kind, took } = yield* failureOf(withRedis(options, (redis) => redis.send("PING")))
        assert.strictEqual(kind, "Unavailable")
        if ("connectTimeout" in options) assert.match(classify(error).message, /does the server speak TLS on this port/)
        assert.isBelow(took, atOnce)
      }
    })
  )
})

describe("a server that takes no one in", () => {
  it.live("says why in its own words, and is asked ever more rarely until it does", () =>
    Effect.gen(function* () {
      const full = yield* scopedServer([])
      const holder = yield* Effect.acquireRelease(
        Effect.promise(
          () =>
            new Promise<Socket>((done) => {
              const socket: Socket = connect(full.port, "127.0.0.1", () => {
                socket.write("CONFIG SET maxclients 1\r\n")
              })
              socket.on("error", () => {}).once("data", () => done(socket))
            })
        ),
        (socket) => Effect.sync(() => socket.destroy())
      )
      const proxy = yield* Effect.acquireRelease(
        Effect.promise(() => TcpProxy.start(full.port)),
        (p) => Effect.promise(() => p.stop())
      )
      yield* withRedis({ url: `redis://127.0.0.1:${proxy.port}` }, (redis) =>
        Effect.gen(function* () {
          const until = performance.now() + 5_000
          while (performance.now() < until) {
            const { error, kind } = yield* failureOf(redis.send("PING"))
            assert.strictEqual(kind, "Unavailable")
            assert.match(classify(error).message, /not connected: ERR max number of clients reached$/)
            yield* Effect.sleep("20 millis")
          }
          // 50, 100, 200, … 2,000 ms, half of it by chance: about eight in five seconds.
          assert.isBelow(proxy.accepted, 14)
          yield* Effect.sync(() => holder.destroy())
          assert.strictEqual(yield* eventually(redis.send("PING")), "PONG")
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["to each that connects", ""],
    ["to whatever is asked first", "asked"]
  ] as const)("refuses in its own words, %s", ([, when]) =>
    Effect.gen(function* () {
      const denied = "DENIED Redis is running in protected mode because protected mode is enabled"
      const refusing = createServer((socket) => {
        socket.on("error", () => {})
        const refuse = () => socket.end(`-${denied}\r\n`)
        if (when === "asked") socket.once("data", refuse)
        else refuse()
      })
      yield* Effect.acquireRelease(
        Effect.promise(() => new Promise<void>((done) => refusing.listen(0, "127.0.0.1", done))),
        () => Effect.sync(() => refusing.close())
      )
      const address = refusing.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      for (const url of [`redis://127.0.0.1:${port}`, `redis://:secret@127.0.0.1:${port}`]) {
        yield* withRedis({ url }, (redis) =>
          Effect.gen(function* () {
            const reserved = Effect.scoped(Effect.flatMap(redis.reserve, (c) => c.send("PING")))
            for (const command of [redis.send("PING"), reserved]) {
              const { error, kind } = yield* failureOf(command)
              assert.strictEqual(kind, "Unavailable")
              assert.include(classify(error).message, denied)
            }
          })
        )
      }
    }).pipe(Effect.scoped)
  )
})

describe("a server that does not keep up its end of the login", () => {
  it.live("is named once, and where TLS was meant the doubt about it is said", () =>
    Effect.gen(function* () {
      const hangUp = createServer((socket) => socket.once("data", () => socket.end()))
      yield* Effect.acquireRelease(
        Effect.promise(() => new Promise<void>((done) => hangUp.listen(0, "127.0.0.1", done))),
        () => Effect.sync(() => hangUp.close())
      )
      const address = hangUp.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const said = (url: string) =>
        withRedis({ url }, (redis) => Effect.map(failureOf(redis.send("PING")), ({ error }) => classify(error).message))
      const plain = yield* said(`redis://127.0.0.1:${port}`)
      assert.match(plain, /^Redis at 127\.0\.0\.1:\d+ is not connected: (?!Redis at)/)
      assert.notInclude(plain, "TLS")
      assert.match(yield* said(`rediss://127.0.0.1:${port}`), /\(does the server speak TLS on this port\?\)$/)
    })
  )
})
