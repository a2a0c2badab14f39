import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { afterAll, beforeAll } from "vitest"
import { classify } from "../../src/layers/redis/classify.ts"
import { eventually, failureOf, withRedis } from "../support/redis-checks.ts"
import { failoverDeadline, RedisSentinel } from "../support/redis-sentinel.ts"

let group: RedisSentinel
beforeAll(async () => {
  group = await RedisSentinel.start({ password: "open sesame" })
})
afterAll(() => group.stop())

const options = () => ({
  url: "redis://default:open%20sesame@ignored/2",
  sentinels: {
    nodes: [{ host: "127.0.0.1", port: 1 }, ...group.ports.map((port) => ({ host: "127.0.0.1", port }))],
    name: group.name
  }
})

describe("Sentinels", () => {
  it.live("name the master, whose password and database apply", () =>
    withRedis(options(), (redis) =>
      Effect.gen(function* () {
        const master = yield* Effect.promise(() => group.master())
        assert.match(yield* redis.send<string>("CLIENT", "INFO"), new RegExp(`laddr=127.0.0.1:${master.port} .* db=2 `))
        assert.strictEqual((yield* redis.send<ReadonlyArray<unknown>>("ROLE"))[0], "master")
      })
    )
  )

  it.live("that know no such master say so", () =>
    Effect.gen(function* () {
      const { kind, error } = yield* failureOf(
        withRedis({ ...options(), sentinels: { ...options().sentinels, name: "nobody" } }, (redis) =>
          redis.send("PING")
        )
      )
      assert.strictEqual(kind, "Unavailable")
      assert.match(classify(error).message, /no Sentinel knows a master "nobody"/)
    })
  )

  it.live(
    "are followed through a failover by shared and private connections, also when the master is killed",
    () =>
      withRedis(options(), (redis) =>
        Effect.gen(function* () {
          const portOf = (info: string) => Number(/laddr=127.0.0.1:(\d+)/.exec(info)?.[1])
          const privately = Effect.scoped(
            Effect.gen(function* () {
              const connection = yield* redis.reserve
              yield* connection.send("XREAD", "BLOCK", "10", "STREAMS", "s", "$")
              yield* connection.send("SET", "private", "1")
              return portOf(yield* connection.send<string>("CLIENT", "INFO"))
            })
          )
          const shared = Effect.andThen(redis.send("SET", "shared", "1"), redis.send<string>("CLIENT", "INFO")).pipe(
            Effect.map(portOf)
          )
          const expectMaster = (before: number) =>
            Effect.gen(function* () {
              const now = yield* eventually(
                Effect.filterOrFail(
                  shared,
                  (port) => port !== before,
                  () => "still the old master"
                ),
                failoverDeadline
              )
              assert.strictEqual(now, (yield* Effect.promise(() => group.master())).port)
              assert.strictEqual(yield* eventually(privately), now)
              return now
            })
          const first = yield* shared
          yield* Effect.promise(() => group.failover())
          const second = yield* expectMaster(first)
          yield* Effect.promise(() => group.healthy())
          const killed = group.servers.find((server) => server.port === second)
          yield* Effect.promise(() => killed?.down() ?? Promise.reject(new Error("no such server")))
          assert.strictEqual((yield* failureOf(redis.send("PING"))).kind, "Unavailable")
          yield* Effect.promise(() => group.declareDown())
          yield* expectMaster(second)
        })
      ),
    400_000
  )
})
